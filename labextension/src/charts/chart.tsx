/**
 * A picture of curves in the colours of the theme.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';

import { figure } from '../model/times';
import { type ICurve, smoothed } from './curves';

/** Colours that JupyterLab has in all themes, and dashes for those who cannot tell them apart. */
const COLOURS = [
  '--jp-brand-color1',
  '--jp-warn-color1',
  '--jp-success-color1',
  '--jp-error-color1',
  '--jp-info-color1',
  '--jp-accent-color1'
];
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const HEIGHT = 200;

export interface IChartProps {
  title: string;
  curves: readonly ICurve[];
  trans: TranslationBundle;
  isLog?: boolean;
  /** How much of what was before is in each point, from 0 to 1. */
  smoothing?: number;
  xText: (x: number) => string;
  yText?: (y: number) => string;
  /** What the vertical axis shows, if not what there is. */
  range?: [number, number];
}

export function colourOf(place: number): string {
  return COLOURS[place % COLOURS.length];
}

export function Chart(props: IChartProps): React.JSX.Element {
  const { curves, title, trans } = props;
  const isLog = props.isLog ?? false;
  const smoothing = props.smoothing ?? 0;
  const yText = props.yText ?? figure;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
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
  const [low, high] = props.range ?? [];

  useEffect(() => {
    const node = host.current;
    if (node === null) {
      return;
    }
    const made = new uPlot(
      options(
        node.clientWidth,
        names.split('\n'),
        isSmoothed,
        isLog,
        low,
        high,
        texts
      ),
      latest.current,
      node
    );
    plot.current = made;
    const resized = new ResizeObserver(() =>
      made.setSize({ width: Math.max(node.clientWidth, 120), height: HEIGHT })
    );
    resized.observe(node);
    // A theme that is changed changes the colours.
    const themed = new MutationObserver(() => made.redraw(false, true));
    themed.observe(document.body, {
      attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light']
    });
    return () => {
      resized.disconnect();
      themed.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, isSmoothed, isLog, low, high]);

  useEffect(() => plot.current?.setData(data), [data]);

  const told = curves
    .map(curve => {
      const last = curve.y.findLastIndex(value => value !== null);
      return last < 0
        ? curve.name
        : `${curve.name} ${yText(curve.y[last] as number)}`;
    })
    .join(', ');
  return (
    <figure className="jp-TrainingChart">
      <figcaption>
        <b>{title}</b>
        {curves.map((curve, place) => {
          const last = curve.y.findLastIndex(value => value !== null);
          return (
            <span key={curve.name} className="jp-TrainingChart-key">
              <svg viewBox="0 0 20 4" aria-hidden="true">
                <path
                  d="M0 2h20"
                  strokeWidth="3"
                  strokeDasharray={dashOf(place).join(' ')}
                  style={{ stroke: `var(${colourOf(place)})` }}
                />
              </svg>
              {curve.name}
              {last >= 0 && ` ${yText(curve.y[last] as number)}`}
            </span>
          );
        })}
      </figcaption>
      <div
        ref={host}
        role="img"
        aria-label={trans.__('Chart of %1. Last values: %2', title, told)}
      />
    </figure>
  );
}

function dashOf(place: number): number[] {
  return DASHES[Math.floor(place / COLOURS.length + place) % DASHES.length];
}

function aligned(
  curves: readonly ICurve[],
  smoothing: number,
  isLog: boolean
): uPlot.AlignedData {
  if (!curves.length) {
    return [[]];
  }
  const clean = (values: readonly (number | null)[]): (number | null)[] =>
    isLog
      ? values.map(value => (value !== null && value > 0 ? value : null))
      : [...values];
  return uPlot.join(
    curves.map(curve => [
      curve.x,
      clean(smoothed(curve.y, smoothing)),
      ...(smoothing > 0 ? [clean(curve.y)] : [])
    ])
  );
}

function options(
  width: number,
  names: readonly string[],
  isSmoothed: boolean,
  isLog: boolean,
  low: number | undefined,
  high: number | undefined,
  texts: React.RefObject<{
    xText: (x: number) => string;
    yText: (y: number) => string;
  }>
): uPlot.Options {
  const colour = (variable: string) => (): string =>
    getComputedStyle(document.body).getPropertyValue(variable).trim() || 'gray';
  const axis = {
    stroke: colour('--jp-ui-font-color2'),
    grid: { stroke: colour('--jp-border-color3'), width: 1 },
    ticks: { stroke: colour('--jp-border-color2'), width: 1, size: 4 },
    font: '11px sans-serif'
  };
  return {
    width: Math.max(width, 120),
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: false },
      y: {
        distr: isLog ? 3 : 1,
        ...(low === undefined || high === undefined
          ? {}
          : { range: [low, high] })
      }
    },
    axes: [
      {
        ...axis,
        size: 28,
        values: (_, splits) => splits.map(value => texts.current!.xText(value))
      },
      {
        ...axis,
        size: 52,
        values: (_, splits) =>
          splits.map(value =>
            value === null ? '' : texts.current!.yText(value)
          )
      }
    ],
    series: [
      {},
      ...names.flatMap((name, place) => [
        {
          label: name,
          stroke: colour(colourOf(place)),
          dash: dashOf(place),
          width: 2,
          spanGaps: true,
          points: { size: 4 }
        },
        ...(isSmoothed
          ? [
              {
                label: `${name} ~`,
                stroke: colour(colourOf(place)),
                alpha: 0.3,
                width: 1,
                spanGaps: true,
                points: { show: false }
              }
            ]
          : [])
      ])
    ],
    plugins: [tooltip(texts)]
  };
}

/** Shows the values under the pointer. */
function tooltip(
  texts: React.RefObject<{
    xText: (x: number) => string;
    yText: (y: number) => string;
  }>
): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'jp-TrainingChart-tip';
  return {
    hooks: {
      init: plot => {
        box.style.display = 'none';
        plot.over.appendChild(box);
      },
      setCursor: plot => {
        const place = plot.cursor.idx;
        const left = plot.cursor.left ?? -1;
        if (place === null || place === undefined || left < 0) {
          box.style.display = 'none';
          return;
        }
        const lines = plot.series
          .map((series, index) => ({ series, value: plot.data[index][place] }))
          .slice(1)
          .filter(
            ({ series, value }) =>
              value !== null &&
              value !== undefined &&
              !String(series.label).endsWith(' ~')
          )
          .map(
            ({ series, value }) =>
              `${series.label} ${texts.current!.yText(value as number)}`
          );
        box.textContent = [
          texts.current!.xText(plot.data[0][place]),
          ...lines
        ].join('\n');
        box.style.display = lines.length ? '' : 'none';
        const isRight = left > plot.over.clientWidth / 2;
        box.style.left = isRight ? '' : `${left + 10}px`;
        box.style.right = isRight
          ? `${plot.over.clientWidth - left + 10}px`
          : '';
      }
    }
  };
}
