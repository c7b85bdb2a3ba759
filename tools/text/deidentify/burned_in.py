"""Text burned into pictures: found by its look, not read, and blanked.

Letters are small connected shapes of one brightness, far from their surroundings, of like height, side by side. Found on both
bright-on-dark and dark-on-bright; graded anatomy has no such rows. Everything found is blanked, with a margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LEAST, _TALLEST = 5, 90
"""Heights of letters in pixels, for pictures up to about 4000 pixels."""
_SHARE = 0.09
"""Of the picture's smaller side: no letter is taller."""
_ROW = 3
"""So many letters at least make a row of text."""
_MARGIN = 0.35
"""Of a letter's height, blanked round a row."""


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels."""

    top: int
    left: int
    height: int
    width: int


def text_regions(image: NDArray[np.float32]) -> list[Region]:
    """Where text is burned in.

    Args:
        image: grey values (rows, columns) of any range.
    """
    if min(image.shape) < 16:
        return []
    found: list[Region] = []
    for picture in (image, -image):
        mask = _standing_out(picture)
        found += [_spread(row, mask) for row in _in_line(_rows(_letters(mask)))]
    return _joined(found)


def blank(frame: NDArray[np.number[Any]], regions: list[Region]) -> None:
    """Overwrite regions with the darkest value round them, in place; channels last if there are any."""
    for region in regions:
        rows = slice(region.top, region.top + region.height)
        columns = slice(region.left, region.left + region.width)
        around = frame[
            max(0, region.top - 3) : region.top + region.height + 3, max(0, region.left - 3) : region.left + region.width + 3
        ]
        fill = np.median(around.reshape(-1, *around.shape[2:]), axis=0)
        frame[rows, columns] = fill.astype(frame.dtype)


def _standing_out(picture: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels near the bright end of the picture and well above what is round them."""
    low, high = float(picture.min()), float(picture.max())
    if high <= low:
        return np.zeros(picture.shape, dtype=np.bool_)
    scaled = (picture - low) / (high - low)
    size = max(15, min(61, min(picture.shape) // 12 * 2 + 1))
    mask: NDArray[np.bool_] = scaled > np.maximum(ndimage.uniform_filter(scaled, size) + 0.2, 0.55)
    return mask


def _letters(mask: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Boxes (top, left, bottom, right) of shapes of a letter's size and density."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0 or count > 60_000:
        return []
    tallest = min(_TALLEST, _SHARE * min(mask.shape))
    boxes = []
    for number, box in enumerate(ndimage.find_objects(labels)):
        height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
        if _LEAST <= height <= tallest and 1 <= width <= 2.2 * height + 4:
            filled = float((labels[box] == number + 1).mean())
            if 0.12 <= filled <= 0.97 or (filled > 0.97 and width < 0.4 * height):
                boxes.append((box[0].start, box[1].start, box[0].stop, box[1].stop))
    return boxes


def _spread(region: Region, mask: NDArray[np.bool_]) -> Region:
    """A row with what stands out to its left and right: letters that touch, and those cut off by the edge."""
    bottom = min(region.top + region.height, mask.shape[0])
    active = np.flatnonzero(mask[region.top : bottom].any(axis=0))
    left, right, reach = region.left, region.left + region.width, 3 * region.height
    for column in active[::-1]:
        if left - reach <= column < left:
            left = int(column)
    for column in active:
        if right <= column <= right + reach:
            right = int(column) + 1
    margin = region.height // 3
    left = max(0, left - margin)
    return Region(region.top, left, bottom - region.top, min(mask.shape[1], right + margin) - left)


def _rows(boxes: list[tuple[int, int, int, int]]) -> list[Region]:
    """Rows of letters: neighbours that overlap in height, are of like height and near."""
    boxes = sorted(boxes, key=lambda box: box[1])
    rows: list[list[tuple[int, int, int, int]]] = []
    for box in boxes:
        height = box[2] - box[0]
        for row in rows:
            last = row[-1]
            tall = max(height, last[2] - last[0])
            overlap = min(box[2], last[2]) - max(box[0], last[0])
            near = box[1] - last[3] <= 2.5 * tall
            if (
                near
                and overlap >= 0.55 * min(height, last[2] - last[0])
                and height / (last[2] - last[0]) < 2.1
                and height / (last[2] - last[0]) > 0.45
            ):
                row.append(box)
                break
        else:
            rows.append([box])
    return [_around(row) for row in rows if len(row) >= _ROW]


def _around(row: list[tuple[int, int, int, int]]) -> Region:
    top, left = min(b[0] for b in row), min(b[1] for b in row)
    bottom, right = max(b[2] for b in row), max(b[3] for b in row)
    margin = int(np.ceil(_MARGIN * (bottom - top)))
    top, left = max(0, top - margin), max(0, left - 3 * margin)
    return Region(top, left, bottom + margin - top, right + 3 * margin - left)


def _in_line(regions: list[Region]) -> list[Region]:
    """Pieces of one line of text, a few letters' heights apart, with what is between them."""
    out: list[Region] = []
    for region in sorted(regions, key=lambda r: r.left):
        for place, other in enumerate(out):
            tall = max(region.height, other.height)
            overlap = min(region.top + region.height, other.top + other.height) - max(region.top, other.top)
            if overlap > 0.5 * min(region.height, other.height) and region.left - (other.left + other.width) < 8 * tall:
                top, right = min(region.top, other.top), max(region.left + region.width, other.left + other.width)
                bottom = max(region.top + region.height, other.top + other.height)
                out[place] = Region(top, other.left, bottom - top, right - other.left)
                break
        else:
            out.append(region)
    return out


def _joined(regions: list[Region]) -> list[Region]:
    """Regions that overlap are one."""
    out: list[Region] = []
    for region in sorted(regions, key=lambda r: (r.top, r.left)):
        for place, other in enumerate(out):
            apart = (
                region.top > other.top + other.height or other.top > region.top + region.height
                or region.left > other.left + other.width or other.left > region.left + region.width
            )  # fmt: skip
            if not apart:
                top, left = min(region.top, other.top), min(region.left, other.left)
                bottom = max(region.top + region.height, other.top + other.height)
                right = max(region.left + region.width, other.left + other.width)
                out[place] = Region(top, left, bottom - top, right - left)
                break
        else:
            out.append(region)
    return out
