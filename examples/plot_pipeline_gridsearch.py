"""
Pipelines, grid searches and learning curves
============================================

A network that is a scikit-learn estimator needs no code of its own for preprocessing, tuning and
learning curves. Is a convolutional network worth it on a few hundred digits?
"""

# %%
# Digits are images of 8 x 8 pixels, one row a sample as always in scikit-learn; ``input_shape``
# tells the network how to read a row.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, LearningCurveDisplay, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sklcnn import CNNClassifier, FCNClassifier
from sklcnn.plotting import FAMILY_STYLES

X, y = load_digits(return_X_y=True)

# %%
# A pipeline around the network, and a grid over its parameters; the solver's own could be searched
# in the same way, as ``cnnclassifier__solver__beta_1``.

common = {"max_iter": 60, "tol": None, "random_state": 0}
pipeline = make_pipeline(MinMaxScaler(), CNNClassifier(input_shape=(8, 8), **common))
grid = {
    "cnnclassifier__patch_size": [2, 3, 5],
    "cnnclassifier__learning_rate_init": [0.003, 0.01],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X[:300], y[:300])
for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    words = ", ".join(f"{name.split('__')[1]} {value}" for name, value in parameters.items())
    print(f"{words:40} accuracy {score:.3f}")

# %%
# The learning curves of the winner and of a fully connected network, with scikit-learn's own
# function and display.

networks = {
    "CNN": search.best_estimator_,
    "FCN": make_pipeline(MinMaxScaler(), FCNClassifier(learning_rate_init=0.01, **common)),
}
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, network in networks.items():
    style = FAMILY_STYLES[name]
    LearningCurveDisplay.from_estimator(
        network,
        X,
        y,
        train_sizes=[50, 100, 200, 400],
        cv=ShuffleSplit(n_splits=4, train_size=400, test_size=800, random_state=0),
        score_type="test",
        line_kw={"color": style.color, "marker": style.marker},
        fill_between_kw={"color": style.color, "alpha": 0.2},
        ax=ax,
    )
ax.set(xscale="log", xticks=[50, 100, 200, 400], xticklabels=[50, 100, 200, 400])
ax.set(xlabel="training samples", ylabel="test accuracy")
ax.set(title="Digits, mean and standard deviation over four splits")
ax.minorticks_off()
ax.legend(ax.lines, networks, frameon=False)
plt.show()

# %%
# The two curves answer the question in samples: read off how many the fully connected network
# needs for the accuracy of the convolutional one. ``sklcnn compare`` does that reading with
# intervals, and says which of locality, sharing and invariance earned it.
