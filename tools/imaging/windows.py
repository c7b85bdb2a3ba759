"""Window presets for CT.

Widths and levels are the customary ones; viewers differ by a few tens of HU. They change only what is seen, never what is
measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOWS: dict[str, tuple[float, float]] = {
    "bone": (1800.0, 400.0),
    "soft": (400.0, 40.0),
    "lung": (1500.0, -600.0),
    "brain": (80.0, 40.0),
}
"""Name to (width, level) in HU."""


def apply_window(values: NDArray[np.generic], width: float, level: float) -> NDArray[np.uint8]:
    """Map [level - width/2, level + width/2] to 0..255; shape is kept."""
    low = level - width / 2
    scaled = (values.astype(np.float32) - low) * (255.0 / width)
    shown: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return shown


def window_for(name: str | None, values: NDArray[np.generic], *, is_ct: bool) -> tuple[float, float, str]:
    """Width, level and how to print it; without a name CT gets the bone window, other images their 1-99 % range."""
    if name in WINDOWS and is_ct:
        width, level = WINDOWS[name]
    elif name is None and is_ct:
        width, level = WINDOWS["bone"]
    else:
        low, high = (
            float(v)
            for v in np.percentile(np.asarray(values, dtype=np.float64), (0.0, 100.0) if name == "full" else (1.0, 99.0))
        )
        width, level = max(high - low, 1.0), (high + low) / 2
    unit = " HU" if is_ct else ""
    return width, level, f"W {width:g} L {level:g}{unit}"
