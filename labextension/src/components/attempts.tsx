import React from 'react';

import { useTraining } from './context';

/** Which attempt to look at. */
export function Attempts(props: {
  count: number;
  current: number;
  onChange: (attempt: number) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  return (
    <select
      className="jp-mod-styled jp-Training-attempts"
      aria-label={trans.__('Attempt')}
      value={props.current}
      onChange={event => props.onChange(Number(event.target.value))}
    >
      {Array.from({ length: props.count }, (_, place) => place + 1).map(
        attempt => (
          <option key={attempt} value={attempt}>
            {trans.__('Attempt %1', attempt)}
          </option>
        )
      )}
    </select>
  );
}
