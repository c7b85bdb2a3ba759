from tests.tools.ehr.conftest import cohort_sample, folder

__all__ = ["cohort_sample", "folder"]
