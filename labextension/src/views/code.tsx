/**
 * What a job runs, and in what environment.
 */
import React from 'react';

import { useTraining } from '../components/context';
import type { IJob } from '../model/types';

export function CodeTab({ job }: { job: IJob }): React.JSX.Element {
  const { trans } = useTraining();
  const facts: [string, string | null][] = [
    [trans.__('Description'), job.description],
    [trans.__('Working directory'), job.working_dir],
    [trans.__('Image'), job.image],
    [trans.__('Executor'), job.executor],
    [trans.__('Results'), job.output_dir]
  ];
  const variables = Object.entries(job.env_vars);
  return (
    <div className="jp-Training-code">
      <h3>{trans.__('Command')}</h3>
      <pre tabIndex={0} aria-label={trans.__('Command')}>
        {job.command}
      </pre>
      <dl className="jp-Training-facts">
        {facts
          .filter(([, value]) => value)
          .map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
      {variables.length > 0 && (
        <>
          <h3>{trans.__('Environment variables')}</h3>
          <pre tabIndex={0} aria-label={trans.__('Environment variables')}>
            {variables.map(([name, value]) => `${name}=${value}`).join('\n')}
          </pre>
        </>
      )}
    </div>
  );
}
