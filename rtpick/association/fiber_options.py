"""What the streaming associator of a cable is told; one setting serves all cables that were tried."""

from __future__ import annotations

from dataclasses import dataclass, replace

_GROUP_M = 400.0
_GROUPS = 20
_STEEPEST_S_PER_M = 0.25 / 400.0


@dataclass(frozen=True, slots=True)
class FiberOptions:
    """How a cable's picks become events.

    Parameters
    ----------
    vp_vs : float
    maximum_ps_s : float
        Longest time between P and S.
    channels_per_group : int
        Neighbouring channel numbers whose picks are looked at together.
    window_s : float
        A wave passes a group within this time.
    fewest_in_group : int
        Channels that make an arrival at a group.
    sigmas : float
        How far above chance, in standard deviations, the channels of a group must be.
    group_step_s : float
        Most that arrivals at two neighbouring groups differ.
    smooth_groups : int
        Neighbouring groups over which a front's times are smoothed (running median).
    fewest_groups, fewest_front_picks : int
        What makes a front of S.
    fewest_votes : int
        Channels whose P agree with an S front on one origin time.
    tolerance_s : float
        A pick belongs to an event if it lies within this of the predicted curve.
    live_channels : int
        Channels that deliver; 0 takes all between the lowest and the highest ever seen.
    tick_s : float
        Events are reviewed at multiples of this time.
    quiet_s : float
        An event is final this long after its last S.
    memory_s : float
        How long a pick waits for its event.
    """

    vp_vs: float = 1.73
    maximum_ps_s: float = 30.0
    channels_per_group: int = 50
    window_s: float = 0.3
    fewest_in_group: int = 4
    sigmas: float = 4.0
    group_step_s: float = 0.25
    smooth_groups: int = 1
    fewest_groups: int = 6
    fewest_front_picks: int = 60
    fewest_votes: int = 15
    tolerance_s: float = 0.3
    live_channels: int = 0
    tick_s: float = 2.0
    quiet_s: float = 15.0
    memory_s: float = 90.0

    def for_cable(
        self, channel_count: int, channel_spacing_m: float | None = None, channel_step: int = 1
    ) -> FiberOptions:
        """Fit what is counted in channels to a cable: groups of some 400 m, but at least twenty of them.

        Notes
        -----
        Within 400 m a wave's moveout is next to nothing, and times differ by how they are picked: over
        shorter groups fronts are smoothed, and picks may lie farther off, up to twice the tolerance.

        Examples
        --------
        >>> FiberOptions().for_cable(3000, 8.0).channels_per_group
        50
        >>> FiberOptions().for_cable(500, 1.0).channels_per_group
        25
        """
        spacing_m = channel_spacing_m or _GROUP_M / self.channels_per_group
        rows = round(min(_GROUP_M / spacing_m, channel_count / _GROUPS))
        rows = min(max(rows, 10), 200)
        groups = max(channel_count // rows, 1)
        smooth = max(round(_GROUP_M / (rows * spacing_m)), 1)
        return replace(
            self,
            channels_per_group=rows * channel_step,
            group_step_s=max(_STEEPEST_S_PER_M * rows * spacing_m, 0.1),
            fewest_groups=min(self.fewest_groups, max(groups // 2, 2)),
            fewest_front_picks=min(self.fewest_front_picks, max(channel_count // 8, 8)),
            smooth_groups=smooth,
            tolerance_s=self.tolerance_s * (2.0 - 1.0 / smooth),
            live_channels=channel_count,
        )


DEFAULT = FiberOptions()
