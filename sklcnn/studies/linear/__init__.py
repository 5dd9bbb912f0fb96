"""Linear networks: the predictors that training makes of them, beside those of largest margin."""

from sklcnn.studies.linear.study import LinearStudy, linear_study

__all__ = ["LinearStudy", "linear_study"]
