/**
 * Times and amounts as people read them. `jupyter_training.notebook.formats` writes them in the same
 * way; __tests__/examples.json is what both are held against.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IJob } from './types';

/** 42 s, 5 min, 1 h 12 min, 3 d 4 h. */
export function duration(seconds: number, trans: TranslationBundle): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return trans.__('%1 s', whole);
  }
  const minutes = Math.round(whole / 60);
  if (minutes < 60) {
    return trans.__('%1 min', minutes);
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return minutes % 60
      ? trans.__('%1 h %2 min', hours, minutes % 60)
      : trans.__('%1 h', hours);
  }
  const days = Math.floor(hours / 24);
  return hours % 24
    ? trans.__('%1 d %2 h', days, hours % 24)
    : trans.__('%1 d', days);
}

/** A time at the mark of an axis: exact, if the marks are closer than a minute. */
export function mark(
  seconds: number,
  step: number | undefined,
  trans: TranslationBundle
): string {
  return step !== undefined && step < 60
    ? trans.__('%1 s', Number(seconds.toFixed(1)))
    : duration(seconds, trans);
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

/** A date as its reader writes it. To make a format takes longer than to draw a whole row. */
function written(
  date: Date,
  locale: string | undefined,
  options: Intl.DateTimeFormatOptions
): string {
  const key = JSON.stringify([locale, options]);
  let format = FORMATS.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, options);
    FORMATS.set(key, format);
  }
  return format.format(date);
}

/** The time of the day, and the day if it is not today. */
export function moment(at: string, now: Date, locale?: string): string {
  const date = new Date(at);
  const isToday = date.toDateString() === now.toDateString();
  const isThisYear = date.getFullYear() === now.getFullYear();
  return written(date, locale, {
    hour: '2-digit',
    minute: '2-digit',
    ...(isToday ? {} : { day: 'numeric', month: 'short' }),
    ...(isToday || isThisYear ? {} : { year: 'numeric' })
  });
}

/** Date and time to the second. */
export function fullMoment(at: string, locale?: string): string {
  return written(new Date(at), locale, {
    dateStyle: 'medium',
    timeStyle: 'medium'
  });
}

export function seconds(from: string, to: string | number | Date): number {
  return (new Date(to).getTime() - new Date(from).getTime()) / 1000;
}

/** How long a job has run in its last attempt (s), or null. */
export function ranFor(job: IJob, now: Date): number | null {
  return job.started_at === null
    ? null
    : seconds(job.started_at, job.completed_at ?? now);
}

/** How far a job is (%); null if nothing tells that. */
export function progressOf(job: IJob): number | null {
  return job.progress_known === false ? null : job.progress;
}

/** The same in words; what has not started is nowhere yet. */
export function progressText(job: IJob, trans: TranslationBundle): string {
  const progress = job.started_at === null ? job.progress : progressOf(job);
  return progress === null ? trans.__('unknown') : trans.__('%1 %', progress);
}

/**
 * The seconds until a job is done, as the server says; where it cannot know, as of what is made of
 * other jobs, what the progress suggests.
 */
export function remaining(job: IJob, now: Date): number | null {
  if (job.status !== 'running') {
    return null;
  }
  if (typeof job.remaining_s === 'number') {
    return job.remaining_s;
  }
  const ran = ranFor(job, now);
  const { progress } = job;
  return job.children === null || ran === null || progress < 3 || progress > 99
    ? null
    : (ran * (100 - progress)) / progress;
}

/**
 * How long a job still runs, for where there is room for one number: the likely one, or the highest
 * if they are far apart.
 */
export function leftText(
  job: IJob,
  now: Date,
  trans: TranslationBundle
): string | null {
  const likely = remaining(job, now);
  if (likely === null) {
    return null;
  }
  const high = job.remaining_high_s ?? likely;
  return high > 2 * likely && high >= 1
    ? trans.__('at most %1 left', duration(high, trans))
    : likely >= 1
      ? trans.__('about %1 left', duration(likely, trans))
      : null;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** A size in units of 1024. */
export function size(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const text =
    unit === 0 || amount >= 100 ? amount.toFixed(0) : amount.toPrecision(2);
  return `${text} ${UNITS[unit]}`;
}

/** A number with as many digits as are of use: 45, 0.4119, 2.5e-5. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) {
    // As Python says it, whose scripts they are from.
    return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  }
  const large = Math.abs(value);
  if (Number.isInteger(value) && large < 1e7) {
    return String(value);
  }
  if (large >= 1e-3 && large < 1e6) {
    return String(Number(value.toPrecision(4)));
  }
  const [mantissa, exponent] = value.toExponential(2).split('e');
  return `${Number(mantissa)}e${Number(exponent)}`;
}
