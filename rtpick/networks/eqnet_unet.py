"""A U-Net over (fiber channel, time) or (station, time): phases, and if asked events and polarity.

Shape suffixes: B batch, C component or feature, K fiber channel or station, T time, P phase (noise, P, S),
N token.

References
----------
Zhu, W. et al. (2023), Seismic arrival-time picking on distributed acoustic sensing data using semi-supervised
learning, Nature Communications 14, 8192, doi:10.1038/s41467-023-43355-3.
Zhu, W. et al. (2025), PhaseNet+: a multi-task model, arXiv:2506.06939.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtpick.networks.eqnet_attention import Transformer, rotary_angles, same_event
from rtpick.networks.eqnet_blocks import Downsample, Residual, Upsample, convolution
from rtpick.networks.eqnet_options import UNetOptions
from rtpick.networks.eqnet_rescale import rescale
from rtpick.vocabulary.errors import NetworkError

N_PHASES = 3
SKIP_SCALE = 2.0**-0.5
EVENT_TIME_SCALE = 1000.0
SMALLEST_EVENT_WIDTH = 16


@dataclass(frozen=True)
class UNetAnswer:
    """What the network says of a batch of tiles.

    Attributes
    ----------
    phase_BPKT
        Logits of noise, P, S at full resolution.
    event_center_BKT
        Logit that the middle between P and S is here, on a grid coarser by `UNetOptions.event_reduction`.
    event_time_BKT
        Samples since the origin, on the same grid, at full rate.
    polarity_BKT
        Logit that the first motion is up.
    """

    phase_BPKT: Tensor
    event_center_BKT: Tensor | None = None
    event_time_BKT: Tensor | None = None
    polarity_BKT: Tensor | None = None


@dataclass(frozen=True)
class TokenPlaces:
    """Where the bottleneck's cells lie: positions (B, N, 3) in km, km, s and events (B, N), if known."""

    position_BN3: Tensor | None = None
    event_BN: Tensor | None = None


class Passthrough(nn.Module):
    """Stands where a stage does not attend."""

    def forward(self, features_BCKT: Tensor) -> Tensor:
        """Return what came."""
        return features_BCKT


class UNet(nn.Module):
    """See the head of this module; sizes and heads are those of `options`."""

    def __init__(self, options: UNetOptions) -> None:
        super().__init__()
        self.options = options
        width, kernel = options.stem_width, options.kernel
        self.init_conv = convolution(options.n_components, width, kernel)
        self.init_resnet_block = Residual(width, width, kernel)
        self.downs = nn.ModuleList(_encoder(options))
        self.ups = nn.ModuleList(_decoder(options))
        deepest = options.widths[-1]
        self.mid_block1 = Residual(deepest, deepest, kernel)
        self.mid_attn = Transformer(deepest, options.attention_heads) if options.attend_at_middle else None
        self.mid_block2 = Residual(deepest, deepest, kernel)
        self.final_res_block = Residual(width, width, kernel)
        self.phase_head = convolution(width, N_PHASES, options.head_kernel)
        if options.polarity_head:
            self._build_polarity_head()
        if options.event_heads:
            self._build_event_heads()

    def forward(self, wave_BCKT: Tensor, places: TokenPlaces | None = None) -> UNetAnswer:
        """Compute what the heads answer.

        Parameters
        ----------
        wave_BCKT
            Normalised samples without NaN; K and T are multiples of `UNetOptions.reduction`.
        places
            Positions and events of the bottleneck's tokens, for networks that know them.

        Raises
        ------
        NetworkError
            If the shape does not fit.
        """
        _check_shape(wave_BCKT, self.options)
        scaled_BCKT = rescale(wave_BCKT, self.options)
        features_BCKT = self.init_resnet_block(self.init_conv(scaled_BCKT))
        middle_BCKT, skips = self._encode(features_BCKT, places)
        final_BCKT = self.final_res_block(self._decode(middle_BCKT, skips))
        center_BKT, time_BKT = self._answer_events(middle_BCKT)
        polarity_BKT = self._answer_polarity(scaled_BCKT, final_BCKT)
        return UNetAnswer(self.phase_head(final_BCKT), center_BKT, time_BKT, polarity_BKT)

    def _encode(self, features_BCKT: Tensor, places: TokenPlaces | None) -> tuple[Tensor, list[Tensor]]:
        skips = []
        for stage in self.downs:
            thin, first, extra, attend = stage.children()
            features_BCKT = first(thin(features_BCKT))
            for block in extra.children():
                features_BCKT = block(features_BCKT)
                skips.append(features_BCKT)
            features_BCKT = attend(features_BCKT)
            skips.append(features_BCKT)
        features_BCKT = self.mid_block1(features_BCKT)
        if self.mid_attn is not None:
            features_BCKT = self.mid_attn(features_BCKT, *_place(places, self.options))
        return self.mid_block2(features_BCKT), skips

    def _decode(self, features_BCKT: Tensor, skips: list[Tensor]) -> Tensor:
        for stage in self.ups:
            first, extra, attend, refine = stage.children()
            features_BCKT = first(_join(features_BCKT, skips.pop()))
            for block in extra.children():
                features_BCKT = block(_join(features_BCKT, skips.pop()))
            features_BCKT = refine(attend(features_BCKT))
        return features_BCKT

    def _answer_events(self, middle_BCKT: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if not self.options.event_heads:
            return None, None
        features_BCKT = self.event_scale_layers(middle_BCKT)
        center_BKT = self.event_center_head(features_BCKT)[:, 0]
        return center_BKT, self.event_time_head(features_BCKT)[:, 0] * EVENT_TIME_SCALE

    def _answer_polarity(self, scaled_BCKT: Tensor, final_BCKT: Tensor) -> Tensor | None:
        if not self.options.polarity_head:
            return None
        first, extra, attend = self.polarity_encoder.children()
        features_BCKT = first(self.polarity_init_resnet(self.polarity_init(scaled_BCKT[:, -1:])))
        for block in extra.children():
            features_BCKT = block(features_BCKT)
        both_BCKT = torch.cat([attend(features_BCKT), final_BCKT], dim=1)
        polarity_BKT: Tensor = self.polarity_head(self.polarity_merge["conv"](both_BCKT))[:, 0]
        return polarity_BKT

    def _build_event_heads(self) -> None:
        options, kernel = self.options, self.options.head_kernel
        deepest = options.widths[-1]
        middle = max(deepest // 4, SMALLEST_EVENT_WIDTH)
        width = max(middle // 4, SMALLEST_EVENT_WIDTH)
        self.event_scale_layers = nn.Sequential(
            Upsample(deepest, middle, options.strides[-1]), Upsample(middle, width, options.strides[-2])
        )
        self.event_center_head = nn.Sequential(Residual(width, width, kernel), convolution(width, 1, kernel))
        self.event_time_head = nn.Sequential(Residual(width, width, kernel), convolution(width, 1, kernel))

    def _build_polarity_head(self) -> None:
        options, width, kernel = self.options, self.options.stem_width, self.options.kernel
        self.polarity_init = convolution(1, width, kernel)
        self.polarity_init_resnet = Residual(width, width, kernel)
        extra = nn.ModuleList(Residual(width, width, kernel) for _ in range(options.extra_blocks))
        self.polarity_encoder = nn.ModuleList([Residual(width, width, kernel), extra, Passthrough()])
        self.polarity_merge = nn.ModuleDict({"conv": nn.Conv2d(2 * width, width, 1)})
        self.polarity_head = nn.Sequential(
            Residual(width, width, kernel), convolution(width, 1, options.head_kernel)
        )


def _join(features_BCKT: Tensor, skip_BCKT: Tensor) -> Tensor:
    return torch.cat([features_BCKT, skip_BCKT * SKIP_SCALE], dim=1)


def _place(places: TokenPlaces | None, options: UNetOptions) -> tuple[Tensor | None, Tensor | None]:
    if places is None:
        return None, None
    turns = options.rope_periods is not None and places.position_BN3 is not None
    angle_BND = rotary_angles(places.position_BN3, options.rope_periods) if turns else None  # type: ignore[arg-type]
    return angle_BND, None if places.event_BN is None else same_event(places.event_BN)


def _encoder(options: UNetOptions) -> list[nn.Module]:
    stages: list[nn.Module] = []
    wide_in = (options.stem_width, *options.widths)
    for level, (n_in, n_out) in enumerate(zip(wide_in, options.widths, strict=False)):
        thin = Downsample(n_in, n_out, options.strides[level])
        first = Residual(n_out, n_out, options.kernel)
        extra = nn.ModuleList(Residual(n_out, n_out, options.kernel) for _ in range(options.extra_blocks))
        stages.append(nn.ModuleList([thin, first, extra, _attention(options, level)]))
    return stages


def _decoder(options: UNetOptions) -> list[nn.Module]:
    stages: list[nn.Module] = []
    finer = (options.stem_width, *options.widths)
    for level in reversed(range(len(options.widths))):
        width = options.widths[level]
        first, *extra = (Residual(2 * width, width, options.kernel) for _ in range(1 + options.extra_blocks))
        refine = Upsample(width, finer[level], options.strides[level])
        stages.append(nn.ModuleList([first, nn.ModuleList(extra), _attention(options, level), refine]))
    return stages


def _attention(options: UNetOptions, level: int) -> nn.Module:
    deepest = len(options.widths) - 1
    if options.attend_deepest and level == deepest:
        return Transformer(options.widths[level], options.attention_heads)
    return Passthrough()


def _check_shape(wave_BCKT: Tensor, options: UNetOptions) -> None:
    across, along = options.reduction
    shape = tuple(wave_BCKT.shape)
    if len(shape) != 4 or shape[1] != options.n_components or shape[2] % across or shape[3] % along:
        raise NetworkError(
            f"tiles have shape {shape}: give (batch, {options.n_components}, "
            f"a multiple of {across} channels, a multiple of {along} samples)"
        )
