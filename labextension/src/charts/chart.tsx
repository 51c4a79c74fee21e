/**
 * A picture of curves in the colours of the theme.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useMemo, useRef } from 'react';

import { figure } from '../model/times';
import { colourOf, css, dashOf, TEXT } from './colours';
import type { ICurve } from './curves';
import { aligned, lastValue, LIMIT_DASH, Plot } from './plot';

const HEIGHT = 200;

export interface IChartProps {
  title: string;
  curves: readonly ICurve[];
  trans: TranslationBundle;
  isLog?: boolean;
  /** How much of what was before is in each point, from 0 to 1. */
  smoothing?: number;
  /**
   * How a place is written; at an axis also with the distance of its marks.
   */
  xText: (x: number, step?: number) => string;
  /** Whether they are over a time (s). */
  isOverTime?: boolean;
  yText?: (y: number) => string;
  /** What the vertical axis shows, if not what there is. */
  range?: [number, number];
  /** A value that matters, such as a limit, with what it is. */
  limit?: { at: number; name: string };
  /** Whether a curve is not drawn where it has no values. */
  hasGaps?: boolean;
  /** Whether the values are sizes in bytes, which are counted in units of 1024. */
  isSize?: boolean;
  /** Something more to tell next to the title. */
  note?: string;
}

export function Chart(props: IChartProps): React.JSX.Element {
  const { curves, title, trans } = props;
  const isLog = props.isLog ?? false;
  const smoothing = props.smoothing ?? 0;
  const yText = props.yText ?? figure;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const texts = useRef({ xText: props.xText, yText });
  texts.current = { xText: props.xText, yText };
  const isSmoothed = smoothing > 0;
  const data = useMemo(
    () => aligned(curves, smoothing, isLog),
    [curves, smoothing, isLog]
  );
  const latest = useRef(data);
  latest.current = data;
  const names = curves.map(curve => curve.name).join('\n');
  const shapes = curves.map(curve => curve.shape ?? 'line').join('\n');
  const [low, high] = props.range ?? [];
  const {
    limit,
    hasGaps = false,
    isSize = false,
    isOverTime = false,
    note
  } = props;
  const limitAt = limit?.at;

  useEffect(() => {
    if (host.current === null) {
      return;
    }
    const made = new Plot(
      host.current,
      {
        names: names.split('\n'),
        isSmoothed,
        isLog,
        height: HEIGHT,
        texts: () => texts.current,
        shapes: shapes.split('\n') as ICurve['shape'][],
        hasGaps,
        isSize,
        isOverTime,
        limit: limitAt,
        ...(low === undefined || high === undefined
          ? {}
          : { range: [low, high] })
      },
      latest.current
    );
    plot.current = made;
    return () => {
      made.dispose();
      plot.current = null;
    };
  }, [
    names,
    shapes,
    isSmoothed,
    isLog,
    low,
    high,
    limitAt,
    hasGaps,
    isSize,
    isOverTime
  ]);

  useEffect(() => plot.current?.setData(data), [data]);

  const told = curves
    .map(curve => {
      const last = lastValue(curve);
      return last === null ? curve.name : `${curve.name} ${yText(last)}`;
    })
    .join(', ');
  return (
    <figure className="jp-TrainingChart">
      <figcaption>
        <b>{title}</b>
        {note && <span className="jp-TrainingChart-note">{note}</span>}
        {curves.map((curve, place) => {
          const last = lastValue(curve);
          return (
            <span key={curve.name} className="jp-TrainingChart-key">
              <svg viewBox="0 0 20 4" aria-hidden="true">
                {curve.shape === 'points' ? (
                  <circle
                    cx="10"
                    cy="2"
                    r="2"
                    style={{ fill: css(colourOf(place)) }}
                  />
                ) : (
                  <path
                    d="M0 2h20"
                    strokeWidth="3"
                    strokeDasharray={dashOf(place).join(' ')}
                    style={{ stroke: css(colourOf(place)) }}
                  />
                )}
              </svg>
              {curve.name}
              {last !== null && ` ${yText(last)}`}
            </span>
          );
        })}
        {limit !== undefined && (
          <span className="jp-TrainingChart-key">
            <svg viewBox="0 0 20 4" aria-hidden="true">
              <path
                d="M0 2h20"
                strokeWidth="2"
                strokeDasharray={LIMIT_DASH.join(' ')}
                style={{ stroke: css(TEXT) }}
              />
            </svg>
            {limit.name} {yText(limit.at)}
          </span>
        )}
      </figcaption>
      <div
        ref={host}
        role="img"
        aria-label={trans.__(
          'Chart of %1. Last values: %2',
          [title, note].filter(Boolean).join(', '),
          told
        )}
      />
    </figure>
  );
}
