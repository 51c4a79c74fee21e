/**
 * An icon for each status, with a shape of its own, so that colour is not needed to tell them apart.
 * `jupyter_training.notebook.states` draws the same shapes.
 */
import React from 'react';

import STATES from '../model/states.json';
import type { JobStatus } from '../model/types';

/** Elements of SVG, of which those that are stroked with `inside` are on top of a filled one. */
type Shape = [string, Record<string, string | number>][];

function drawn(status: JobStatus): React.JSX.Element[] {
  return (STATES[status].shape as Shape).map(
    ([tag, { stroke, ...rest }], key) =>
      React.createElement(tag, {
        key,
        ...rest,
        ...(stroke === 'inside'
          ? { className: 'jp-Training-inside' }
          : { stroke })
      })
  );
}

export function StatusIcon({
  status
}: {
  status: JobStatus;
}): React.JSX.Element {
  return (
    <svg
      className={`jp-Training-icon jp-Training-is-${status} jp-Training-shape-${status}`}
      viewBox="0 0 14 14"
      aria-hidden="true"
    >
      {drawn(status)}
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
