/**
 * The cards: what each does, how full it is, and who has it. People look here to decide what to ask for.
 */
import React from 'react';

import type { JobsModel } from '../model/jobs';
import { worded } from '../model/sentences';
import { jobName } from '../model/sentences/rules';
import { figure } from '../model/times';
import type { IGpu, IMachines } from '../model/types';
import { shortModel } from '../model/words';
import { useTraining } from './context';

/** A card that is held and does less than this for so many readings is idle. */
const IDLE_PERCENT = 3;
const IDLE_READINGS = 12;

export function GpuStrip({
  machines
}: {
  machines: IMachines;
}): React.JSX.Element {
  const { trans, model } = useTraining();
  const { free, total } = machines;
  const several = machines.nodes.length > 1;
  return (
    <section aria-label={trans.__('Machines')}>
      {total.gpu_count > 0 && (
        <>
          <h3 className="jp-Training-heading">
            <span>{trans.__('GPUs')}</span>
            <span>
              {trans.__('%1 of %2 free', free.gpu_count, total.gpu_count)}
            </span>
          </h3>
          <ul className="jp-Training-gpus">
            {machines.nodes.flatMap(node =>
              node.gpus.map((gpu, place) => (
                <Gpu
                  key={gpu.uuid}
                  gpu={gpu}
                  name={`${several ? `${node.name} ` : ''}${gpu.index ?? place}`}
                  readings={model.readings.get(gpu.uuid) ?? []}
                />
              ))
            )}
          </ul>
        </>
      )}
      <div className="jp-Training-machine">
        <Share
          label={trans.__('CPU')}
          used={total.cpu_cores - free.cpu_cores}
          total={total.cpu_cores}
          text={trans.__(
            'CPU: %1 of %2 cores free',
            free.cpu_cores,
            total.cpu_cores
          )}
        />
        <Share
          label={trans.__('Memory')}
          used={total.memory_gb - free.memory_gb}
          total={total.memory_gb}
          text={trans.__(
            'Memory: %1 of %2 GB free',
            free.memory_gb,
            total.memory_gb
          )}
        />
      </div>
    </section>
  );
}

function Share(props: {
  label: string;
  used: number;
  total: number;
  text: string;
}): React.JSX.Element {
  return (
    <div className="jp-Training-share">
      <span>{props.text}</span>
      <div
        className="jp-Training-progress"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={Math.max(props.total, 1)}
        aria-valuenow={props.used}
      >
        <div
          style={{ width: `${(100 * props.used) / Math.max(props.total, 1)}%` }}
        />
      </div>
    </div>
  );
}

function Gpu(props: {
  gpu: IGpu;
  name: string;
  readings: readonly number[];
}): React.JSX.Element {
  const { trans } = useTraining();
  const { gpu, readings } = props;
  const idle = isIdle(gpu, readings);
  const model = shortModel(gpu.model) || trans.__('GPU');
  const figures = [
    gpu.utilization_percent !== null
      ? trans.__('%1 %', gpu.utilization_percent)
      : null,
    gpu.memory_used_gb !== null
      ? trans.__('%1 GB', Math.round(gpu.memory_used_gb))
      : null
  ].filter(Boolean);
  const memory =
    gpu.memory_used_gb !== null && gpu.memory_gb
      ? trans.__(
          '%1 of %2 GB',
          figure(gpu.memory_used_gb),
          figure(gpu.memory_gb)
        )
      : null;
  return (
    <li
      className={`jp-Training-gpu jp-mod-${idle ? 'idle' : gpu.state}`}
      title={[
        gpu.model,
        memory,
        gpu.uuid,
        gpu.unavailable && worded(gpu.unavailable, trans)
      ]
        .filter(Boolean)
        .join('\n')}
    >
      <div className="jp-Training-gpuName">
        <b>{props.name}</b> {model}
      </div>
      {gpu.state !== 'free' && readings.length > 0 && (
        <div className="jp-Training-bars" aria-hidden="true">
          {readings.map((percent, place) => (
            <i key={place} style={{ height: `${Math.max(percent, 4)}%` }} />
          ))}
        </div>
      )}
      {gpu.state !== 'free' && figures.length > 0 && (
        <div>{figures.join(' · ')}</div>
      )}
      <div className="jp-Training-holder">{holder()}</div>
    </li>
  );

  function whose(): string {
    return jobName(gpu.held_by ?? '', trans);
  }

  function holder(): string {
    switch (gpu.state) {
      case 'free':
        return trans.__('free');
      case 'drained':
        return worded(gpu.unavailable ?? '', trans);
      case 'in_use':
        return trans.__('in use by others');
      case 'held':
        return idle ? trans.__('▲ idle · %1', whose()) : whose();
    }
  }
}

function isIdle(gpu: IGpu, readings: readonly number[]): boolean {
  const last = readings.slice(-IDLE_READINGS);
  return (
    gpu.state === 'held' &&
    last.length === IDLE_READINGS &&
    last.every(percent => percent < IDLE_PERCENT)
  );
}

/** `2 running · 1 queued · 3/4 GPUs`. */
export function summary(
  model: JobsModel,
  trans: ReturnType<typeof useTraining>['trans']
): string {
  const { running, waiting } = model.counts;
  const parts = [
    trans.__('%1 running', running),
    trans.__('%1 queued', waiting)
  ];
  const machines = model.machines;
  // What is not known any more is not told.
  if (machines?.total.gpu_count && !model.machinesAreStale) {
    const used = machines.total.gpu_count - machines.free.gpu_count;
    parts.push(trans.__('%1/%2 GPUs', used, machines.total.gpu_count));
  }
  return parts.join(' · ');
}
