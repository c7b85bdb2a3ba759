"""What CT numbers mean for X-rays of other energies: two basis materials, a tube spectrum, Beer-Lambert.

A voxel is a mixture of water-like tissue and cortical bone (Alvarez and Macovski, Phys Med Biol 1976;21:733-744). Up to
`_SOFT_HU` it is tissue of a density that follows its CT number; above, cortical bone takes a share that grows linearly until
the CT number of pure cortical bone. Two line integrals per ray (mm of water, mm of bone) then give the transmission at any
energy, and a spectrum gives beam hardening.

Mass attenuation coefficients: Hubbell and Seltzer, NISTIR 5632 (NIST), liquid water, cortical bone (ICRU-44) of 1.92 g/cm3,
aluminium. The spectrum is Kramers' law (Phil Mag 1923;46:836-871) behind aluminium, without characteristic lines; the
detector weighs a photon by its energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import CallError

_KEV = np.array([20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0])
_MASS = {  # cm2/g
    "water": np.array([0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505]),
    "bone": np.array([4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480]),
    "aluminium": np.array([3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378]),
}
_DENSITY = {"water": 1.0, "bone": 1.92, "aluminium": 2.699}  # g/cm3
CT_KEV = 70.0
"""Effective energy of a CT at 120 kVp, at which CT numbers are taken to be defined; scanners differ by some keV."""
KVP_RANGE = (40.0, 150.0)
_FILTER_MM = 3.0
_STEP_KEV = 5.0
_SOFT_HU = 100.0
"""Below it tissue without calcium: muscle lies near 50 HU, clotted blood and cartilage below 100."""
MAX_HU = 3071.0
"""12-bit CT ends here; metal beyond it is taken as this."""


def linear_attenuation(material: str, kev: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear attenuation coefficient in 1/mm, log-log interpolated between the table's energies (20 to 150 keV)."""
    values = np.exp(np.interp(np.log(kev), np.log(_KEV), np.log(_MASS[material])))
    return np.asarray(values * _DENSITY[material] / 10.0)


@cache
def cortical_hu() -> float:
    """CT number of pure cortical bone at `CT_KEV`."""
    return float(1000.0 * (linear_attenuation("bone", CT_KEV) / linear_attenuation("water", CT_KEV) - 1.0))


def basis_of(hu: torch.Tensor) -> torch.Tensor:
    """CT numbers of any shape (n, ...) to (n, 2, ...): the equivalent of water, and of cortical bone, per mm of path.

    At `CT_KEV` the two add up to exactly the attenuation that the CT number says. Differentiable.
    """
    clipped = hu.clamp(-1000.0, MAX_HU)
    share = (clipped - _SOFT_HU).clamp(min=0.0) * (1.0 / (cortical_hu() - _SOFT_HU))
    water = torch.add(clipped.clamp(max=_SOFT_HU) * 1e-3 + 1.0, share, alpha=-(1.0 + _SOFT_HU / 1000.0))
    return torch.stack([water, share], dim=1)


@dataclass(frozen=True)
class Beam:
    """Energies in keV and the share of the open-field signal that each brings; shares add up to 1."""

    kev: NDArray[np.float64]
    share: NDArray[np.float64]
    name: str

    @property
    def mean_kev(self) -> float:
        """Mean energy, weighted by signal."""
        return float(self.kev @ self.share)


def tube_beam(kvp: float) -> Beam:
    """Kramers' spectrum of a tube at `kvp` kilovolts behind 3 mm of aluminium.

    Raises:
        CallError: the voltage is outside `KVP_RANGE`.
    """
    if not KVP_RANGE[0] <= kvp <= KVP_RANGE[1]:
        raise CallError(f"A tube voltage lies between {KVP_RANGE[0]:g} and {KVP_RANGE[1]:g} kVp, got {kvp:g}.")
    kev = np.arange(20.0, kvp, _STEP_KEV)
    photons = (kvp / kev - 1.0) * np.exp(-linear_attenuation("aluminium", kev) * _FILTER_MM)
    signal = photons * kev
    return Beam(kev, signal / signal.sum(), f"{kvp:g} kVp")


def single_energy(kev: float) -> Beam:
    """A beam of one energy.

    Raises:
        CallError: the energy is outside the table.
    """
    if not _KEV[0] <= kev <= _KEV[-1]:
        raise CallError(f"An energy lies between {_KEV[0]:g} and {_KEV[-1]:g} keV, got {kev:g}.")
    return Beam(np.array([kev]), np.array([1.0]), f"{kev:g} keV")


def transmission(paths: torch.Tensor, beam: Beam) -> torch.Tensor:
    """Share of the open-field signal that is left behind (2, ...) mm of water and bone. Differentiable."""
    through = torch.zeros_like(paths[0])
    for kev, share in zip(beam.kev, beam.share, strict=True):
        water, bone = float(linear_attenuation("water", kev)), float(linear_attenuation("bone", kev))
        through = through + float(share) * torch.exp(-(water * paths[0] + bone * paths[1]))
    return through
