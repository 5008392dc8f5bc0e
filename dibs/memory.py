"""How Python's garbage collector is set for a process that works in batches."""

import gc

YOUNG_OBJECTS_MAX = 200_000


def spare_collector() -> None:
    """Collect seldom, and never look at the modules again. Call it once, when everything is imported.

    A batch makes some hundred thousand objects, and counting references frees them all. With Python's own settings the
    collector walks every module again and again meanwhile: a third of the processor time of allocation.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 10, 10)
