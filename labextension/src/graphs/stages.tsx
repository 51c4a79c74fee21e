/**
 * The stages of a pipeline, and which one goes after which.
 */
import React, { useMemo, useRef } from 'react';

import { useNow, useTraining } from '../components/context';
import { StatusIcon } from '../components/icons';
import { useWidth } from '../components/width';
import { worded } from '../model/sentences';
import { duration, progressOf, ranFor } from '../model/times';
import { type IJob, isActive } from '../model/types';
import { causeWord, statusWord } from '../model/words';
import { layout } from './layers';

/** Of a node; they get narrower before the graph does not fit any more. */
const WIDTHS = { least: 112, most: 176 };
const GAPS = { least: 34, most: 52 };
/** In narrower ones there is room for the state and no more. */
const ROOMY = 150;
const MARGIN = 14;
const HEIGHT = 52;
const ROW = HEIGHT + 18;
const ARROW = 7;

/** A graph whose nodes are buttons that open the stages. The arrow keys go along its edges. */
export function StageGraph(props: {
  stages: readonly IJob[];
  onOpen: (stage: IJob) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { stages, onOpen } = props;
  const now = useNow(stages.some(isActive) ? 1000 : null);
  const host = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const edgesOf = stages
    .map(one => [one.job_id, ...one.depends_on].join(' '))
    .join('\n');
  const drawn = useMemo(
    () =>
      layout(stages.map(one => ({ id: one.job_id, after: one.depends_on }))),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only its form counts
    [edgesOf]
  );
  const byId = new Map(stages.map(one => [one.job_id, one]));
  const placeOf = new Map(drawn.nodes.map(one => [one.id, one]));
  const { node: nodeWidth, column } = widths(
    useWidth(host, 900) - 2 * MARGIN,
    drawn.layers
  );
  const width = drawn.layers * column - (column - nodeWidth);
  const height = (drawn.rows - 1) * ROW + HEIGHT;

  const onKeyDown = (event: React.KeyboardEvent, id: string): void => {
    const here = placeOf.get(id)!;
    const isSide = event.key === 'ArrowUp' || event.key === 'ArrowDown';
    const sign = event.key === 'ArrowUp' || event.key === 'ArrowLeft' ? -1 : 1;
    if (!isSide && event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') {
      return;
    }
    event.preventDefault();
    const joined = drawn.edges.flatMap(({ from, to }) =>
      sign < 0 && to === id ? [from] : sign > 0 && from === id ? [to] : []
    );
    const there = isSide
      ? drawn.nodes.filter(
          one => one.layer === here.layer && (one.row - here.row) * sign > 0
        )
      : drawn.nodes.filter(one => joined.includes(one.id));
    const next = there.sort(
      (one, other) =>
        Math.abs(one.row - here.row) - Math.abs(other.row - here.row)
    )[0];
    if (next) {
      list.current
        ?.querySelector<HTMLElement>(`[data-stage="${next.id}"]`)
        ?.focus();
    }
  };

  return (
    <div ref={host} className="jp-TrainingGraph">
      <div style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {drawn.edges.map(edge => {
            const from = byId.get(edge.from)!;
            return (
              <path
                key={`${edge.from} ${edge.to}`}
                className={`jp-TrainingGraph-edge jp-mod-${from.status}`}
                d={path(
                  placeOf.get(edge.from)!.layer,
                  edge.rows,
                  nodeWidth,
                  column
                )}
              />
            );
          })}
        </svg>
        <ul ref={list} aria-label={trans.__('Stages')}>
          {drawn.nodes.map(({ id, layer, row }) => {
            const stage = byId.get(id)!;
            return (
              <li key={id} style={{ left: layer * column, top: row * ROW }}>
                <button
                  type="button"
                  data-stage={id}
                  style={{ width: nodeWidth }}
                  className={`jp-TrainingGraph-stage jp-mod-${stage.status}`}
                  title={[
                    stage.name,
                    stage.reason && worded(stage.reason, trans)
                  ]
                    .filter(Boolean)
                    .join('\n')}
                  onClick={() => onOpen(stage)}
                  onKeyDown={event => onKeyDown(event, id)}
                >
                  <span className="jp-TrainingGraph-name">
                    {stageName(stage)}
                  </span>
                  <span
                    className={`jp-TrainingGraph-state jp-Training-is-${stage.status}`}
                  >
                    <StatusIcon status={stage.status} />{' '}
                    {stateText(stage, now, nodeWidth >= ROOMY)}
                  </span>
                  {stage.status === 'running' && (
                    <span
                      className="jp-TrainingGraph-progress jp-Training-is-running"
                      style={{ width: `${progressOf(stage) ?? 0}%` }}
                    />
                  )}
                  {after(stage) && (
                    <span className="jp-Training-unseen">
                      {trans.__('after %1', after(stage))}
                    </span>
                  )}
                </button>
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );

  function after(stage: IJob): string {
    return stage.depends_on
      .map(id => byId.get(id))
      .filter(one => one !== undefined)
      .map(stageName)
      .join(', ');
  }

  function stateText(stage: IJob, at: Date, isRoomy: boolean): string {
    const word =
      stage.status === 'failed' && stage.cause
        ? causeWord(stage.cause, trans)
        : statusWord(stage.status, trans);
    const ran = ranFor(stage, at);
    if (!isRoomy) {
      return word;
    }
    const progress = progressOf(stage);
    if (stage.status === 'running' && progress !== null) {
      return trans.__('%1 · %2 %', word, progress);
    }
    return ran === null
      ? word
      : trans.__('%1 · %2', word, duration(ran, trans));
  }
}

/** How wide a node is, and the distance from one column to the next. */
export function widths(
  there: number,
  layers: number
): { node: number; column: number } {
  const { least, most } = WIDTHS;
  const gaps = Math.max(layers - 1, 0);
  const gap =
    layers * most + gaps * GAPS.most <= there ? GAPS.most : GAPS.least;
  const fits = Math.floor((there - gaps * gap) / Math.max(layers, 1));
  const node = Math.min(most, Math.max(least, fits));
  return { node, column: node + gap };
}

/** What a child is called within its parent. */
export function stageName(stage: IJob): string {
  return stage.child_key ?? stage.name;
}

/** A line with an arrow, from the right of a node to the left of another one. */
function path(
  layer: number,
  rows: readonly number[],
  width: number,
  column: number
): string {
  const y = (row: number): number => row * ROW + HEIGHT / 2;
  let at = layer * column + width;
  let drawn = `M${at} ${y(rows[0])}`;
  rows.slice(1).forEach((row, place) => {
    const isLast = place === rows.length - 2;
    const end = (layer + place + 1) * column;
    const stop = isLast ? end - 1 : end;
    const bend = (end - at) / 2;
    drawn += `C${at + bend} ${y(rows[place])} ${end - bend} ${y(row)} ${stop} ${y(row)}`;
    at = end;
    if (!isLast) {
      // Straight on, below or above what is in this layer.
      at += width;
      drawn += `H${at}`;
    }
  });
  const tip = y(rows[rows.length - 1]);
  return `${drawn}M${at - 1 - ARROW} ${tip - ARROW / 2}L${at - 1} ${tip}L${at - 1 - ARROW} ${tip + ARROW / 2}`;
}
