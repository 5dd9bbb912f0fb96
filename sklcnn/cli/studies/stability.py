"""The study ``stability``: gap and sharpness below the edge of stability."""

from sklcnn.cli.directories import add_resume, resumable
from sklcnn.cli.mistakes import UsageError, mistakes_at
from sklcnn.cli.options import add_input_shape, add_jobs, add_output, add_seed, given, whole
from sklcnn.cli.studies.running import add_quick, run_study

__all__ = ["add_stability"]

_KEPT = "finished-trainings"  # a name that nobody else gives to a folder
_FIELDS = {  # of the parts, by option
    "dimensions": "dimensions",
    "sizes": "sizes",
    "filters": "n_filters",
    "steps": "n_steps",
    "repeats": "repeats",
    "image_samples": "n_samples",
}
_MORE = {"patch_size": "--patch-sizes", "random_state": "--seed"}  # fields, where they are given
_ONLY = {  # options that mean nothing without their part
    "sphere": ("dimensions", "sizes", "patch_sizes"),
    "images": ("images", "input_shape", "image_samples"),
}
_OF_ALL = ("n_filters", "n_steps", "repeats", "random_state")
_OF = {"sphere": ("dimensions", "sizes"), "flat": (), "images": ("n_samples",)}


def add_stability(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "stability",
        help="does the edge of stability help networks that see small patches?",
        description="Networks trained at the edge of stability: generalization gap, excess risk "
        "and sharpness of FCN, LCN and CNN on the sphere; a CNN that learns noise by heart on the "
        "patch-wise sphere; and regression on images with a local teacher (arXiv 2603.04807). By "
        "default this takes about an hour on two cores: the sphere 20 to 30 minutes, three runs on "
        "the patch-wise sphere about 4 minutes each, digits about 10 minutes a repeat. Begin with "
        "--quick, which takes less than a minute, or with one of the --parts.",
    )
    verb.set_defaults(run=_stability)
    add = verb.add_argument
    add("--parts", nargs="+", choices=list(_OF), metavar="NAME", help="sphere, flat, images")
    add("--dimensions", nargs="+", type=whole, metavar="N", help="features, on the sphere")
    add("--sizes", nargs="+", type=whole, metavar="N", help="training samples, on the sphere")
    add(
        "--patch-sizes",
        nargs="+",
        type=whole,
        metavar="N",
        help="features of a patch on the sphere: the first for all networks, the others for CNNs "
        "at one dimension (default: 10 5 25; 10 with --dimensions)",
    )
    add("--images", metavar="FILE", help="NPZ with X_train and X_test, or with X (default: digits)")
    add_input_shape(verb, "HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH, of flat images")
    add("--image-samples", type=whole, metavar="N", help="training images (default: 1024)")
    add("--filters", type=whole, metavar="N", help="filters of every network")
    add("--steps", type=whole, metavar="N", help="steps of gradient descent")
    add("--repeats", type=whole, metavar="N", help="samples and initial weights")
    add_quick(verb)
    add_resume(verb)
    add_seed(verb)
    add_jobs(verb)
    add_output(verb, "sklcnn-study-stability")


def _stability(arguments):
    """Run the study."""
    from sklcnn.studies.fits import default_jobs
    from sklcnn.studies.stability import check_parts, report, stability_study

    places = {field: f"--{option.replace('_', '-')}" for option, field in _FIELDS.items()}
    places |= _MORE | dict.fromkeys(("X", "X_test", arguments.images), arguments.images)
    _check_options(arguments)
    with mistakes_at(places):
        parts = _parts(arguments)

    def check():
        with mistakes_at(places):
            check_parts(parts)

    def run(n_jobs, checkpoint):
        n_jobs = arguments.jobs or default_jobs("auto")  # processes would only share a GPU
        return stability_study(parts, n_jobs=n_jobs, checkpoint=checkpoint, verbose=True)

    return run_study(
        arguments,
        check=check,
        run=resumable(arguments, run, "trainings", _KEPT),
        make_report=report.make_report,
    )


def _check_options(arguments):
    """Refuse options that nothing would come of."""
    for part, names in _ONLY.items():
        idle = [name for name in names if getattr(arguments, name) is not None]
        if idle and arguments.parts and part not in arguments.parts:
            option = idle[0].replace("_", "-")
            raise UsageError(f"--{option}: belongs to the part {part}, which --parts leaves out")
    if arguments.input_shape is not None and arguments.images is None:
        raise UsageError("--input-shape: needs --images; the digits have their own")


def _parts(arguments):
    """Return the parts that were asked for."""
    from sklcnn.studies.stability import FlatRun, ImageRegression, SphereSweep
    from sklcnn.studies.stability.image_files import read_image_file

    kinds = {"sphere": SphereSweep, "flat": FlatRun, "images": ImageRegression}
    asked = {_FIELDS.get(name, name): value for name, value in given(arguments, *_FIELDS).items()}
    parts = []
    for part in dict.fromkeys(arguments.parts or kinds):
        fields = {name: asked[name] for name in (*_OF_ALL, *_OF[part]) if name in asked}
        if part == "sphere":
            fields |= _patch_sizes(arguments)
        elif part == "images" and arguments.images is not None:
            fields |= read_image_file(arguments.images, arguments.input_shape)
        make = kinds[part].quick if arguments.quick else kinds[part]
        parts.append(make(**fields))
    return parts


def _patch_sizes(arguments):
    """Return the patch sizes that were asked for; those by default are for the dimensions so."""
    if arguments.patch_sizes is not None:
        first, *others = arguments.patch_sizes
        return {"patch_size": first, "patch_sizes": tuple(others)}
    return {} if arguments.dimensions is None else {"patch_sizes": ()}
