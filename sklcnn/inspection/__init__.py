"""Read a fitted network: what its filters found, and its exact risk on a law."""

from sklcnn.inspection.filters import alignment
from sklcnn.inspection.risks import PopulationRisk, population_risk

__all__ = ["PopulationRisk", "alignment", "population_risk"]
