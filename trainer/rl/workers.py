"""The rollout workers as the trainer sees them: its weights go to them, and groups come from them."""

from __future__ import annotations

import time

from earwitness import tracing
from trainer.model.policy import PolicyModel
from trainer.publish.publication import Publication
from trainer.rl.ready import ReadyGroups


class Workers:
    """Those that follow one policy. All ranks call the same methods in the same order."""

    def __init__(self, publication: Publication, groups: ReadyGroups, policy: PolicyModel) -> None:
        self._publication = publication
        self._groups = groups
        self._policy = policy

    def begin(self, version: int) -> None:
        """Lets groups be generated under the policy as it is, which is `version`."""
        self.publish(version)
        self._publication.finish()
        # Not before: workers would use the weights of an earlier start, whose version numbers this one gives out again.
        self._groups.open()

    def remind(self, version: int) -> None:
        """When groups take long: does nothing unless the weight plane has lost the version, or the queue the run, whose
        beginning a crash may have cost it."""
        self.publish(version)
        self._groups.open()

    def publish(self, version: int) -> None:
        """Hands over the policy as it is, which is `version`, beside what follows."""
        ways, self._groups.learned = self._groups.learned, []
        for way in ways:
            stay = way.passages[-1]
            stay.version, stay.ended = version, time.time()
            tracing.child(
                way.task.traceparent,
                stay.station,
                stay.begun,
                stay.ended,
                worker=stay.worker,
                ordinal=way.task.ordinal,
                version=version,
            )
        self._publication.publish(version, self._policy, [t for way in ways if (t := way.task.traceparent)])
        self._groups.keep(ways)

    def finish(self) -> None:
        """Waits until what was handed over is there."""
        self._publication.finish()

    def dropped(self) -> dict[int, str]:
        """Ordinals of groups that the policy will not learn from, with their reasons."""
        return self._groups.dropped()

    @property
    def figures(self) -> dict[str, float]:
        """Of the last publication."""
        return self._publication.figures
