/**
 * The stages of a pipeline: their graph, and a table with what happened to each.
 */
import React from 'react';

import { useNow, useTraining } from '../components/context';
import { type IFetched, useFetched } from '../components/fetched';
import { StatusIcon } from '../components/icons';
import { StageGraph, stageName } from '../graphs/stages';
import { worded } from '../model/sentences';
import { duration, progressText, ranFor } from '../model/times';
import { type IJob, isActive } from '../model/types';
import { causeWord, statusWord } from '../model/words';

/** The jobs that a job is made of, fetched again when one of them changes. */
export function useChildren(job: IJob): IFetched<IJob[]> {
  const { model } = useTraining();
  return useFetched(
    () => model.api.children(job.job_id),
    job.job_id,
    `${job.status} ${JSON.stringify(job.children)}`,
    {
      isAbout: event =>
        event.job_id === job.job_id || event.parent_id === job.id
    }
  );
}

/** The graph alone. */
export function Stages({ job }: { job: IJob }): React.JSX.Element | null {
  const { execute } = useTraining();
  const { value: stages } = useChildren(job);
  return stages?.length ? (
    <StageGraph
      stages={stages}
      onOpen={stage => execute('training:open', { job: stage.job_id })}
    />
  ) : null;
}

export function StagesTab({ job }: { job: IJob }): React.JSX.Element {
  const { trans, execute } = useTraining();
  const { value: stages, error } = useChildren(job);
  if (!stages?.length) {
    return (
      <p className="jp-Training-note">
        {error ||
          (stages === null
            ? trans.__('Loading…')
            : trans.__('It has no stages yet.'))}
      </p>
    );
  }
  const open = (stage: IJob): void =>
    execute('training:open', { job: stage.job_id });
  return (
    <div className="jp-Training-stages">
      <StageGraph stages={stages} onOpen={open} />
      <StageTable stages={stages} onOpen={open} />
    </div>
  );
}

function StageTable(props: {
  stages: readonly IJob[];
  onOpen: (stage: IJob) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { stages } = props;
  const now = useNow(stages.some(isActive) ? 1000 : null);
  const names = new Map(stages.map(one => [one.job_id, stageName(one)]));
  return (
    <table className="jp-Training-table">
      <thead>
        <tr>
          <th scope="col">{trans.__('Stage')}</th>
          <th scope="col">{trans.__('State')}</th>
          <th scope="col">{trans.__('Progress')}</th>
          <th scope="col">{trans.__('Duration')}</th>
          <th scope="col">{trans.__('Goes after')}</th>
          <th scope="col">{trans.__('Why')}</th>
        </tr>
      </thead>
      <tbody>
        {stages.map(stage => {
          const ran = ranFor(stage, now);
          const after = stage.depends_on
            .map(id => names.get(id) ?? id)
            .join(', ');
          return (
            <tr key={stage.job_id}>
              <td>
                <button
                  type="button"
                  className="jp-Training-textButton"
                  onClick={() => props.onOpen(stage)}
                >
                  {stageName(stage)}
                </button>
              </td>
              <td className="jp-Training-what">
                <StatusIcon status={stage.status} />{' '}
                {statusWord(stage.status, trans)}
              </td>
              <td>{progressText(stage, trans)}</td>
              <td>{ran === null ? '' : duration(ran, trans)}</td>
              <td>{after}</td>
              <td>
                {[
                  stage.status === 'failed' && stage.cause
                    ? causeWord(stage.cause, trans)
                    : null,
                  stage.reason && worded(stage.reason, trans)
                ]
                  .filter(Boolean)
                  .join(': ')}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
