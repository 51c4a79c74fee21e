import React from 'react';

import { progressOf } from '../model/times';
import type { IJob } from '../model/types';

/** How far a job is; if nothing tells that, and it runs, the bar is hatched. */
export function Progress({
  job,
  label
}: {
  job: IJob;
  label: string;
}): React.JSX.Element {
  const progress = progressOf(job);
  const isHatched = progress === null && job.status === 'running';
  return (
    <div
      className={`jp-Training-progress${isHatched ? ' jp-mod-unknown' : ''}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={progress ?? undefined}
    >
      <div
        className={`jp-Training-is-${job.status}`}
        style={{ width: `${isHatched ? 100 : (progress ?? 0)}%` }}
      />
    </div>
  );
}
