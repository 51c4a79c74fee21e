/**
 * The box that filters the jobs.
 */
import React, { useEffect, useRef, useState } from 'react';

import { useTraining } from './context';

/** How long to wait for more before it is asked for (ms). */
const PAUSE_MS = 250;

/** What is typed stays as it is typed; the lists follow when there is a pause. */
export function Filter(): React.JSX.Element {
  const { trans, model } = useTraining();
  const [typed, setTyped] = useState(model.filterText);
  const latest = useRef(typed);
  latest.current = typed;
  useEffect(() => {
    const timer = setTimeout(() => (model.filterText = typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed, model]);
  useEffect(
    // A sidebar that is moved is drawn anew, perhaps before the pause.
    () => () => {
      model.filterText = latest.current;
    },
    [model]
  );
  return (
    <input
      type="search"
      className="jp-mod-styled jp-Training-filter"
      value={typed}
      placeholder={trans.__('Filter: name, status:failed, gpu:2 …')}
      aria-label={trans.__('Filter jobs')}
      title={trans.__(
        'Words of the name, the description or the id; status:failed, type:single, cause:out_of_memory, gpu:2'
      )}
      onChange={event => setTyped(event.target.value)}
    />
  );
}
