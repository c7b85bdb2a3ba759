"""Three PatchGAN discriminators: of the CT, of the target's mask, of the CT around the target. Training only (MONAI)."""

from __future__ import annotations

import torch
from monai.losses.adversarial_loss import PatchAdversarialLoss
from monai.networks.nets.patchgan_discriminator import PatchDiscriminator
from torch import Tensor, nn

LOCAL_ROWS = 64
"""Height of the central part that the third one sees."""


class Adversaries(nn.Module):
    """The three discriminators with their least-squares losses; each loss is a sum over them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ct, self.mask, self.local = (
            PatchDiscriminator(spatial_dims=2, channels=channels, in_channels=1, num_layers_d=3, norm="INSTANCE")
            for _ in range(3)
        )
        self._loss = PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)

    def fool(self, ct: Tensor, soft_mask: Tensor) -> Tensor:
        """The generator's loss on rejoined slices; `soft_mask` are probabilities, so that their gradient reaches it."""
        return torch.stack(
            [self._loss(verdict, target_is_real=True, for_discriminator=False) for verdict in self._verdicts(ct, soft_mask)]
        ).sum()

    def catch(self, real: tuple[Tensor, Tensor], painted: tuple[Tensor, Tensor]) -> Tensor:
        """The discriminators' own loss on (CT, mask) pairs; the painted ones are detached here."""
        losses = []
        for images, is_real in ((real, True), (tuple(image.detach() for image in painted), False)):
            losses += [
                self._loss(verdict, target_is_real=is_real, for_discriminator=True) for verdict in self._verdicts(*images)
            ]
        return torch.stack(losses).sum()

    def _verdicts(self, ct: Tensor, mask: Tensor) -> list[Tensor]:
        first = (ct.shape[2] - LOCAL_ROWS) // 2
        local = ct[:, :, max(first, 0) : max(first, 0) + LOCAL_ROWS]
        return [self.ct(ct)[-1], self.mask(mask)[-1], self.local(local)[-1]]
