"""Laws of data: they draw (X, y) and know their own best rule."""

from .dynamic_signal import DynamicSignal, make_dsd, make_ssd
from .sphere import SphereTeacher, make_sphere

__all__ = ["DynamicSignal", "SphereTeacher", "make_dsd", "make_ssd", "make_sphere"]
