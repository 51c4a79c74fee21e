/**
 * An icon for each status, with a shape of its own, so that colour is not needed to tell them apart.
 */
import React from 'react';

import type { JobStatus } from '../model/types';

const SHAPES: Record<JobStatus, React.JSX.Element> = {
  pending: (
    <g fill="none" stroke="currentColor" strokeWidth="1.5">
      <circle cx="7" cy="7" r="5.5" />
      <path d="M7 4v3l2 1.5" />
    </g>
  ),
  scheduled: (
    <g fill="none" stroke="currentColor" strokeWidth="1.5">
      <circle cx="7" cy="7" r="5.5" strokeDasharray="2.2 1.8" />
      <path d="M5.5 4.5l4 2.5-4 2.5z" fill="currentColor" stroke="none" />
    </g>
  ),
  running: (
    <circle
      className="jp-Training-spin"
      cx="7"
      cy="7"
      r="5"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeDasharray="20 12"
    />
  ),
  retrying: (
    <path
      d="M11.5 7a4.5 4.5 0 1 1-1.3-3.2M11 1.5v2.6H8.4"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
    />
  ),
  completed: (
    <g>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path
        d="M4 7.2l2 2 4-4.2"
        className="jp-Training-inside"
        strokeWidth="1.6"
      />
    </g>
  ),
  failed: (
    <g>
      <path d="M4.5 1h5L13 4.5v5L9.5 13h-5L1 9.5v-5z" fill="currentColor" />
      <path
        d="M5 5l4 4M9 5l-4 4"
        className="jp-Training-inside"
        strokeWidth="1.6"
      />
    </g>
  ),
  cancelled: (
    <g fill="none" stroke="currentColor" strokeWidth="1.5">
      <circle cx="7" cy="7" r="5.5" />
      <path d="M3.2 10.8l7.6-7.6" />
    </g>
  )
};

export function StatusIcon({
  status
}: {
  status: JobStatus;
}): React.JSX.Element {
  return (
    <svg
      className={`jp-Training-icon jp-Training-is-${status}`}
      viewBox="0 0 14 14"
      aria-hidden="true"
    >
      {SHAPES[status]}
    </svg>
  );
}

/** Small pictures for buttons. */
const PICTURES = {
  log: 'M2 3h10M2 6h7M2 9h10M2 12h5',
  cancel: 'M3.5 3.5l7 7M10.5 3.5l-7 7',
  retry: 'M11.5 7a4.5 4.5 0 1 1-1.3-3.2M11 1.5v2.6H8.4'
};

export function Picture({
  name
}: {
  name: keyof typeof PICTURES;
}): React.JSX.Element {
  return (
    <svg className="jp-Training-icon" viewBox="0 0 14 14" aria-hidden="true">
      <path
        d={PICTURES[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
      />
    </svg>
  );
}
