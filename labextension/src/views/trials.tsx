/**
 * The trials of a search: which is the best, how it came to it, and all of them to sort.
 */
import React, { useMemo, useState } from 'react';

import { Chart } from '../charts/chart';
import type { ICurve } from '../charts/curves';
import { useNow, useTraining } from '../components/context';
import { type IFetched, useFetched } from '../components/fetched';
import { StatusIcon } from '../components/icons';
import { ParallelCoordinates, parameterText } from '../graphs/parallel';
import { worded } from '../model/sentences';
import { duration, figure } from '../model/times';
import { type IOrder, inOrder, parameters, tookS } from '../model/trials';
import type {
  IJob,
  ITrial,
  ITrials,
  JobStatus,
  TrialState
} from '../model/types';

const ICONS: Record<TrialState, JobStatus> = {
  waiting: 'pending',
  running: 'running',
  complete: 'completed',
  pruned: 'cancelled',
  failed: 'failed'
};
const SHOWN_AT_FIRST = 100;

/**
 * The trials of a search, fetched again when one of them changes; and what matters, which comes
 * later and is thought about again when another trial is complete.
 */
export function useTrials(job: IJob): IFetched<ITrials> {
  const { model } = useTraining();
  const quick = useFetched(
    () => model.api.trials(job.job_id, false),
    job.job_id,
    `${job.status} ${JSON.stringify(job.children)}`,
    {
      isAbout: event =>
        event.job_id === job.job_id || event.parent_id === job.id
    }
  );
  const { value: importance } = useFetched(
    async () => (await model.api.trials(job.job_id, true)).importance,
    job.job_id,
    quick.value?.states.complete ?? 0
  );
  const value = useMemo(
    () => (quick.value === null ? null : { ...quick.value, importance }),
    [quick.value, importance]
  );
  return { value, error: quick.error };
}

export function TrialsTab({ job }: { job: IJob }): React.JSX.Element {
  const { trans, execute } = useTraining();
  const { value: found, error } = useTrials(job);
  const [highlighted, setHighlighted] = useState<number | null>(null);
  if (!found?.trials.length) {
    return (
      <p className="jp-Training-note">
        {error ||
          (found === null
            ? trans.__('Loading…')
            : trans.__('It has no trials yet.'))}
      </p>
    );
  }
  const open = (trial: ITrial): void =>
    execute('training:open', { job: trial.job_id });
  return (
    <div className="jp-Training-trials">
      <Sums found={found} onOpen={open} />
      <div className="jp-TrainingChart-grid">
        <BestChart found={found} />
        <Importance found={found} />
      </div>
      <div className="jp-Training-wide">
        <ParallelCoordinates
          found={found}
          highlighted={highlighted}
          onHighlight={setHighlighted}
          onOpen={open}
        />
      </div>
      <TrialTable
        found={found}
        highlighted={highlighted}
        onHighlight={setHighlighted}
        onOpen={open}
      />
    </div>
  );
}

/** How far a search is, and what it has found. */
export function TrialSummary({ job }: { job: IJob }): React.JSX.Element | null {
  const { execute } = useTraining();
  const { value: found } = useTrials(job);
  return found?.trials.length ? (
    <>
      <Sums
        found={found}
        onOpen={trial => execute('training:open', { job: trial.job_id })}
      />
      <div className="jp-TrainingChart-grid">
        <BestChart found={found} />
        <Importance found={found} />
      </div>
    </>
  ) : null;
}

function Sums(props: {
  found: ITrials;
  onOpen: (trial: ITrial) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { best, search, states, trials_allowed, used_gpu_hours } = props.found;
  const done = states.complete + states.pruned + states.failed;
  const facts: [string, React.ReactNode][] = [
    [
      search.goal === 'minimize'
        ? trans.__('Lowest %1', search.metric)
        : trans.__('Highest %1', search.metric),
      best === null ? (
        trans.__('none yet')
      ) : (
        <button
          type="button"
          className="jp-Training-textButton"
          onClick={() => props.onOpen(best)}
        >
          {trans.__('%1 in trial %2', parameterText(best.value), best.number)}
        </button>
      )
    ],
    [
      trans.__('Trials'),
      trials_allowed === null
        ? trans.__('%1 done', done)
        : trans.__('%1 of %2 done', done, trials_allowed)
    ],
    [trans.__('Running'), String(states.running)],
    [trans.__('Pruned'), String(states.pruned)],
    [trans.__('Failed'), String(states.failed)],
    [
      trans.__('GPU-hours'),
      used_gpu_hours ? figure(Number(used_gpu_hours.toFixed(2))) : null
    ],
    [
      trans.__('Method'),
      [
        search.sampler,
        search.pruner === 'none' ? null : search.pruner,
        typeof search.seed === 'number'
          ? trans.__('seed %1', search.seed)
          : null
      ]
        .filter(Boolean)
        .join(', ')
    ]
  ];
  return (
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
  );
}

/** The values in the order in which they came, and the best one until then. */
function BestChart({ found }: { found: ITrials }): React.JSX.Element {
  const { trans } = useTraining();
  const { history, search } = found;
  const curves = useMemo((): ICurve[] => {
    const x = history.map((_, place) => place + 1);
    const finite = (value: number | string): number | null =>
      Number.isFinite(Number(value)) ? Number(value) : null;
    return [
      {
        name: trans.__('best so far'),
        x,
        y: history.map(({ best }) => finite(best)),
        shape: 'steps'
      },
      {
        name: trans.__('each trial'),
        x,
        y: history.map(({ value }) => finite(value)),
        shape: 'points'
      }
    ];
  }, [history, trans]);
  return (
    <Chart
      title={trans.__('%1 over the trials that are complete', search.metric)}
      curves={curves}
      trans={trans}
      xText={x => (Number.isInteger(x) ? String(x) : '')}
    />
  );
}

/** How much each parameter matters, as bars. */
function Importance({ found }: { found: ITrials }): React.JSX.Element | null {
  const { trans } = useTraining();
  const { importance } = found;
  if (importance === null) {
    return null;
  }
  return (
    <figure className="jp-TrainingChart jp-Training-importance">
      <figcaption>
        <b>{trans.__('How much each parameter matters')}</b>
      </figcaption>
      <dl>
        {Object.entries(importance).map(([name, share]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <span
                className="jp-Training-bar"
                style={{ width: `${Math.round(70 * share)}%` }}
              />{' '}
              {trans.__('%1 %', Math.round(100 * share))}
            </dd>
          </div>
        ))}
      </dl>
    </figure>
  );
}

function TrialTable(props: {
  found: ITrials;
  highlighted: number | null;
  onHighlight: (trial: number | null) => void;
  onOpen: (trial: ITrial) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { found, highlighted, onHighlight, onOpen } = props;
  const [order, setOrder] = useState<IOrder>({
    key: 'number',
    isDescending: false
  });
  const [isWhole, setWhole] = useState(false);
  const now = useNow(found.over ? null : 1000);
  const names = parameters(found);
  const columns: [string, string][] = [
    ['number', trans.__('Trial')],
    ['state', trans.__('State')],
    ['value', found.search.metric],
    ...names.map((name): [string, string] => [`param:${name}`, name]),
    ['duration', trans.__('Duration')]
  ];
  const sorted = inOrder(found.trials, order, now);
  const shown = isWhole ? sorted : sorted.slice(0, SHOWN_AT_FIRST);
  const words: Record<TrialState, string> = {
    waiting: trans.__('queued'),
    running: trans.__('running'),
    complete: trans.__('completed'),
    pruned: trans.__('pruned'),
    failed: trans.__('failed')
  };
  return (
    <>
      <table
        className="jp-Training-table jp-Training-trialTable"
        aria-label={trans.__('Trials')}
      >
        <thead>
          <tr>
            {columns.map(([key, label]) => {
              const isCurrent = order.key === key;
              return (
                <th
                  key={key}
                  scope="col"
                  aria-sort={
                    !isCurrent
                      ? 'none'
                      : order.isDescending
                        ? 'descending'
                        : 'ascending'
                  }
                >
                  <button
                    type="button"
                    onClick={() =>
                      setOrder({
                        key,
                        isDescending: isCurrent && !order.isDescending
                      })
                    }
                  >
                    {label}
                    <span aria-hidden="true">
                      {isCurrent ? (order.isDescending ? ' ▼' : ' ▲') : ''}
                    </span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {shown.map(trial => {
            const took = tookS(trial, now);
            const isBest = trial.number === found.best?.number;
            return (
              <tr
                key={trial.number}
                className={[
                  isBest ? 'jp-mod-best' : '',
                  trial.number === highlighted ? 'jp-mod-lit' : ''
                ].join(' ')}
                onMouseEnter={() => onHighlight(trial.number)}
                onMouseLeave={() => onHighlight(null)}
              >
                <th scope="row">
                  <button
                    type="button"
                    className="jp-Training-textButton"
                    onClick={() => onOpen(trial)}
                  >
                    {trial.number}
                  </button>
                </th>
                <td
                  className="jp-Training-what"
                  title={trial.reason ? worded(trial.reason, trans) : ''}
                >
                  <StatusIcon status={ICONS[trial.state]} />{' '}
                  <span className={`jp-Training-is-${ICONS[trial.state]}`}>
                    {trial.state === 'pruned' && trial.pruned_at_step !== null
                      ? trans.__('pruned at step %1', trial.pruned_at_step)
                      : words[trial.state]}
                  </span>
                  {isBest && (
                    <>
                      {' '}
                      <b className="jp-Training-best">{trans.__('★ best')}</b>
                    </>
                  )}
                </td>
                <td>
                  {typeof trial.value === 'number'
                    ? figure(trial.value)
                    : trial.value}
                </td>
                {names.map(name => (
                  <td key={name}>{parameterText(trial.params[name])}</td>
                ))}
                <td>{took === null ? '' : duration(took, trans)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {shown.length < sorted.length && (
        <button
          type="button"
          className="jp-Training-textButton jp-Training-all"
          onClick={() => setWhole(true)}
        >
          {trans.__('Show all %1 trials', sorted.length)}
        </button>
      )}
    </>
  );
}
