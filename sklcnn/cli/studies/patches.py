"""The study ``patches``: the geometry of an image's patches under twelve schemes."""

from sklcnn.cli.directories import add_resume, resumable
from sklcnn.cli.mistakes import mistakes_at
from sklcnn.cli.options import add_input_shape, add_jobs, add_output, add_seed, given, whole
from sklcnn.cli.studies.running import add_quick, run_study

__all__ = ["add_patches"]

_OPTIONS = {  # what the library calls them
    "patch_size": "patch_side",
    "samples": "n_samples",
    "directions": "n_directions",
    "seeds": "n_seeds",
}


def add_patches(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "patches",
        help="how flat and how deep are the patches of images?",
        description="Principal components and half-space depth of the patches of images under "
        "twelve schemes, and which differences are more than noise (arXiv 2603.04807).",
    )
    verb.set_defaults(run=_patches)
    add = verb.add_argument
    add("--data", metavar="FILE", help="NPZ with X_train, X or images (default: digits)")
    add("--schemes", nargs="+", metavar="NAME", help="such as conv hex full_image (default: all)")
    add_input_shape(verb, "HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH, of flat images")
    add(
        "--patch-size",
        type=whole,
        metavar="N",
        help="side of a patch in pixels (default: about an eighth of the image, at least 2)",
    )
    add("--samples", type=whole, metavar="N", help="images to use, drawn at random (default: all)")
    add("--directions", type=whole, metavar="N", help="random half-spaces (default: 512)")
    add("--seeds", type=whole, metavar="N", help="repeats with other random numbers (default: 5)")
    add_quick(verb)
    add_resume(verb)
    add_seed(verb)
    add_jobs(verb, "processes (default: one a core, at most 8; one with --quick)")
    add_output(verb, "sklcnn-study-patches")


def _patches(arguments):
    """Run the study."""
    from sklcnn.studies.patch_geometry import report, study

    plan = _plan(arguments)

    alone = arguments.quick and arguments.jobs is None  # it takes less than processes to start

    def run(n_jobs, checkpoint):
        return study.carry_out(plan, 1 if alone else n_jobs, checkpoint, verbose=True)

    return run_study(
        arguments,
        run=resumable(arguments, run, "schemes", "checkpoint.jsonl"),
        make_report=report.make_report,
    )


def _plan(arguments):
    """Read and check everything that was asked for."""
    from sklcnn.studies.patch_geometry.images import digit_images, read_images
    from sklcnn.studies.patch_geometry.plan import make_patch_plan
    from sklcnn.studies.patch_geometry.report import QUICK
    from sklcnn.studies.tables import InvalidInputError

    asked = given(arguments, "schemes", *_OPTIONS)
    asked = {_OPTIONS.get(name, name): value for name, value in asked.items()}
    places = {name: f"--{option.replace('_', '-')}" for option, name in _OPTIONS.items()}
    places |= dict.fromkeys(("X", arguments.data), arguments.data)
    with mistakes_at(places):
        if arguments.data is not None:
            images = read_images(arguments.data, arguments.input_shape)
        elif arguments.input_shape is None:
            images = digit_images()
        else:
            raise InvalidInputError("input_shape", "needs --data; the digits have their own")
        quick = QUICK if arguments.quick else {}
        return make_patch_plan(**images | quick | asked)
