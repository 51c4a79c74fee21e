/**
 * The words for what a job is and why. Those of the states are in states.json too, for Python.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IJob, JobStatus } from './types';

export function statusWord(
  status: JobStatus,
  trans: TranslationBundle
): string {
  switch (status) {
    case 'pending':
      return trans.__('queued');
    case 'scheduled':
      return trans.__('starting');
    case 'running':
      return trans.__('running');
    case 'retrying':
      return trans.__('retrying');
    case 'completed':
      return trans.__('completed');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
  }
}

/** Why an attempt ended; a cause that is new to this version as it is. */
export function causeWord(cause: string, trans: TranslationBundle): string {
  switch (cause) {
    case 'success':
      return trans.__('success');
    case 'user_error':
      return trans.__('script error');
    case 'killed_by_signal':
      return trans.__('killed by a signal');
    case 'out_of_memory':
      return trans.__('out of memory');
    case 'timed_out':
      return trans.__('timed out');
    case 'launch_failed':
      return trans.__('not started');
    case 'invalid_arguments':
      return trans.__('invalid arguments');
    case 'not_runnable':
      return trans.__('cannot run');
    case 'image_unavailable':
      return trans.__('image unavailable');
    case 'node_lost':
      return trans.__('machine lost');
    case 'preempted':
      return trans.__('preempted');
    case 'cancelled_by_user':
      return trans.__('cancelled');
    case 'upstream_failed':
      return trans.__('earlier stage failed');
    case 'pruned':
      return trans.__('pruned');
    default:
      return cause.replace(/_/g, ' ');
  }
}

export function typeWord(type: string, trans: TranslationBundle): string {
  switch (type) {
    case 'single':
      return trans.__('single');
    case 'distributed':
      return trans.__('distributed');
    case 'hyperparameter':
      return trans.__('search');
    case 'pipeline':
      return trans.__('pipeline');
    default:
      return type;
  }
}

/** The specification's table: cores, memory, GPUs. */
export function resourcesWord(
  job: Pick<IJob, 'cpu_cores' | 'memory_gb' | 'gpu_count' | 'gpu_type'>,
  trans: TranslationBundle
): string {
  const { cpu_cores, memory_gb, gpu_count, gpu_type } = job;
  return gpu_type
    ? trans.__(
        '%1C / %2GB / %3 × %4',
        cpu_cores,
        memory_gb,
        gpu_count,
        gpu_type
      )
    : trans.__('%1C / %2GB / %3GPU', cpu_cores, memory_gb, gpu_count);
}

/** What a row says on its right: the GPUs, or what it takes else. */
export function shortResources(
  job: IJob,
  model: string | undefined,
  trans: TranslationBundle
): string {
  if (job.gpu_count === 0) {
    return trans.__('%1C / %2GB', job.cpu_cores, job.memory_gb);
  }
  const type = model ?? job.gpu_type;
  return type
    ? trans.__('%1 × %2', job.gpu_count, shortModel(type))
    : job.gpu_count === 1
      ? trans.__('%1 GPU', job.gpu_count)
      : trans.__('%1 GPUs', job.gpu_count);
}

/** NVIDIA A100-SXM4-80GB: A100 80 GB. */
export function shortModel(model: string): string {
  const [, memory] = /(\d+)\s?GB/i.exec(model) ?? [];
  const name = model
    .replace(/^NVIDIA\s+/i, '')
    .replace(/^(GeForce|Tesla|Quadro)\s+/i, '')
    .replace(/[-\s](SXM\d?|PCIe|NVL)\b/gi, '')
    .replace(/[-\s]?\d+\s?GB/i, '')
    .trim();
  return memory ? `${name} ${memory}G` : name;
}

/** What happened to a job, where its status did not change. */
export function eventWord(kind: string, trans: TranslationBundle): string {
  switch (kind) {
    case 'cancel':
      return trans.__('cancel asked for');
    case 'handed_over':
      return trans.__('handed over');
    case 'adopted':
      return trans.__('watched by another server');
    case 'stale':
      return trans.__('late report');
    case 'waits':
      return trans.__('waits');
    case 'idle':
      return trans.__('GPUs idle');
    case 'busy':
      return trans.__('GPUs busy again');
    case 'hung':
      return trans.__('seems to hang');
    case 'moved':
      return trans.__('goes on again');
    case 'notified':
      return trans.__('told of');
    case 'not_notified':
      return trans.__('could not be told of');
    default:
      return kind.replace(/_/g, ' ');
  }
}

/** Who did something to a job: a person by name, or a part of the server. */
export function actorWord(actor: string, trans: TranslationBundle): string {
  switch (actor) {
    case 'scheduler':
      return trans.__('scheduler');
    case 'monitor':
      return trans.__('monitor');
    case 'meter':
      return trans.__('meter');
    case 'family':
      return trans.__('pipeline or search');
    default:
      return actor;
  }
}
