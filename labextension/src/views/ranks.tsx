/**
 * The nodes and processes of a distributed job, and which of them failed first.
 */
import React, { useState } from 'react';

import { Attempts } from '../components/attempts';
import { useTraining } from '../components/context';
import { useFetched } from '../components/fetched';
import { StatusIcon } from '../components/icons';
import { fullMoment, size } from '../model/times';
import type { IJob, IRanks, JobStatus, RankState } from '../model/types';

/** How often to ask who has printed something, of which no event tells. */
const EVERY_MS = 5000;

const ICONS: Record<RankState, JobStatus> = {
  starting: 'scheduled',
  running: 'running',
  completed: 'completed',
  failed: 'failed',
  stopped: 'cancelled',
  cancelled: 'cancelled'
};

export function RanksTab(props: {
  job: IJob;
  /** Show what a rank of the latest attempt has printed. */
  onLog: (rank: number) => void;
}): React.JSX.Element {
  const { trans, model } = useTraining();
  const { job } = props;
  const [chosen, setChosen] = useState<number | null>(null);
  const attempt = chosen ?? job.attempt;
  const isLatest = attempt === job.attempt;
  const { value: found, error } = useFetched(
    () => model.api.ranks(job.job_id, attempt || undefined),
    `${job.job_id} ${attempt}`,
    `${job.status} ${job.attempt}`,
    { everyMs: isLatest && job.status === 'running' ? EVERY_MS : null }
  );
  if (found === null || !found.ranks.length) {
    return (
      <p className="jp-Training-note">
        {error ||
          (found === null
            ? trans.__('Loading…')
            : trans.__(
                'It will have %1 processes on %2 nodes when it starts.',
                job.ranks,
                job.nodes
              ))}
      </p>
    );
  }
  return (
    <div className="jp-Training-ranks">
      {job.attempt > 1 && (
        <div className="jp-Training-tools">
          <Attempts
            count={job.attempt}
            current={attempt}
            onChange={one => setChosen(one === job.attempt ? null : one)}
          />
        </div>
      )}
      <Failure found={found} />
      {found.nodes.map(node => (
        <Node
          key={node.index}
          node={node}
          found={found}
          onLog={isLatest ? props.onLog : null}
        />
      ))}
    </div>
  );
}

function Failure({ found }: { found: IRanks }): React.JSX.Element | null {
  const { trans } = useTraining();
  const first = found.first_failure;
  if (first === null) {
    return null;
  }
  const who =
    first.rank === null
      ? trans.__('Node %1 failed first', first.node)
      : trans.__('Rank %1 of %2 failed first', first.rank, found.ranks.length);
  const how =
    first.detail ??
    (first.signal !== null
      ? trans.__('signal %1', first.signal)
      : trans.__('exit code %1', first.exit_code ?? 1));
  return (
    <section
      className="jp-Training-why jp-mod-failed"
      aria-label={trans.__('What failed first')}
    >
      <b>{trans.__('%1: %2.', who, how)}</b>{' '}
      {found.ranks.length > 1 &&
        trans.__('The others were ended because of it.')}
      {first.lines.length > 0 && (
        <pre role="region" tabIndex={0} aria-label={trans.__('Its last lines')}>
          {first.lines.join('\n')}
        </pre>
      )}
    </section>
  );
}

function Node(props: {
  node: IRanks['nodes'][number];
  found: IRanks;
  onLog: ((rank: number) => void) | null;
}): React.JSX.Element {
  const { trans, model, locale } = useTraining();
  const { node, found, onLog } = props;
  const cards = node.gpus.map(
    uuid => model.gpu(uuid)?.index?.toString() ?? uuid
  );
  const given = [
    trans.__('%1C / %2GB', node.cpu_cores, node.memory_gb),
    cards.length ? trans.__('GPUs %1', cards.join(', ')) : ''
  ]
    .filter(Boolean)
    .join(' · ');
  const title = trans.__('Node %1 on %2', node.index, node.node);
  const words: Record<RankState, string> = {
    starting: trans.__('starting'),
    running: trans.__('running'),
    completed: trans.__('completed'),
    failed: trans.__('failed first'),
    stopped: trans.__('stopped'),
    cancelled: trans.__('cancelled')
  };
  return (
    <section>
      <h3 className="jp-Training-nodeName">
        {title} <span className="jp-Training-second">{given}</span>
      </h3>
      <table className="jp-Training-table" aria-label={title}>
        <thead>
          <tr>
            <th scope="col">{trans.__('Rank')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('On this node')}</th>
            <th scope="col">{trans.__('Has printed')}</th>
            <th scope="col">{trans.__('Last at')}</th>
            {onLog && <th scope="col">{trans.__('Log')}</th>}
          </tr>
        </thead>
        <tbody>
          {found.ranks
            .filter(rank => rank.node === node.index)
            .map(rank => (
              <tr
                key={rank.rank}
                className={rank.state === 'failed' ? 'jp-mod-failed' : ''}
              >
                <th scope="row">{rank.rank}</th>
                <td className="jp-Training-what">
                  <StatusIcon status={ICONS[rank.state]} />{' '}
                  <span className={`jp-Training-is-${ICONS[rank.state]}`}>
                    {words[rank.state]}
                  </span>
                </td>
                <td>{rank.local_rank}</td>
                <td>{size(rank.log_bytes)}</td>
                <td>
                  {rank.printed_at && (
                    <time dateTime={rank.printed_at}>
                      {fullMoment(rank.printed_at, locale)}
                    </time>
                  )}
                </td>
                {onLog && (
                  <td>
                    <button
                      type="button"
                      className="jp-Training-textButton"
                      aria-label={trans.__('View log of rank %1', rank.rank)}
                      onClick={() => onLog(rank.rank)}
                    >
                      {trans.__('View log')}
                    </button>
                  </td>
                )}
              </tr>
            ))}
        </tbody>
      </table>
    </section>
  );
}
