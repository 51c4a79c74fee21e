import React from 'react';

import type { IJob } from '../model/types';

/** How far a job is. */
export function Progress({
  job,
  label
}: {
  job: IJob;
  label: string;
}): React.JSX.Element {
  return (
    <div
      className="jp-Training-progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={job.progress}
    >
      <div
        className={`jp-Training-is-${job.status}`}
        style={{ width: `${job.progress}%` }}
      />
    </div>
  );
}
