/**
 * Parallel coordinates: a vertical axis for each parameter and the value, a line for each trial.
 */
import React, { useRef } from 'react';

import { useTraining } from '../components/context';
import { useWidth } from '../components/width';
import { axesOf, quality, valueOf } from '../model/trials';
import { figure } from '../model/times';
import type { ITrial, ITrials, ParameterValue } from '../model/types';

const HEIGHT = 260;
const TOP = 34;
const BOTTOM = 14;
const SIDE = 64;

export function ParallelCoordinates(props: {
  found: ITrials;
  highlighted: number | null;
  onHighlight: (trial: number | null) => void;
  onOpen: (trial: ITrial) => void;
}): React.JSX.Element {
  const { trans } = useTraining();
  const { found, highlighted } = props;
  const host = useRef<HTMLElement>(null);
  const width = useWidth(host, 640);

  const axes = axesOf(found);
  const drawn = Math.max(width, SIDE * 2 + (axes.length - 1) * 96);
  const step = axes.length > 1 ? (drawn - SIDE * 2) / (axes.length - 1) : 0;
  const x = (place: number): number => SIDE + place * step;
  const y = (at: number): number =>
    HEIGHT - BOTTOM - at * (HEIGHT - TOP - BOTTOM);
  const good = quality(found);
  // The best ones are drawn last, above the others.
  const lines = found.trials
    .filter(trial => valueOf(trial) !== null)
    .sort((one, other) => good(one) - good(other));
  const best = found.best;
  return (
    <figure ref={host} className="jp-TrainingChart jp-TrainingParallel">
      <figcaption>
        <b>{trans.__('Parameters and %1', found.search.metric)}</b>
        <span className="jp-TrainingChart-key">
          {trans.__('the clearer a line, the better')}
        </span>
        <span className="jp-TrainingChart-key">
          {trans.__('dotted: pruned or failed')}
        </span>
      </figcaption>
      <div className="jp-TrainingParallel-scroller">
        <svg
          width={drawn}
          height={HEIGHT}
          role="img"
          aria-label={
            best === null
              ? trans.__('%1 trials over their parameters', lines.length)
              : trans.__(
                  '%1 trials over their parameters; the best one is trial %2',
                  lines.length,
                  best.number
                )
          }
        >
          {lines.map(trial => {
            const points = axes.map((axis, place) => {
              const isLast = place === axes.length - 1;
              const at = axis.place(
                isLast ? valueOf(trial) : trial.params[axis.name]
              );
              return at === null ? null : `${x(place)},${y(at)}`;
            });
            const isBest = trial.number === best?.number;
            const isLit = trial.number === highlighted;
            return (
              <polyline
                key={trial.number}
                className={[
                  'jp-TrainingParallel-line',
                  isBest ? 'jp-mod-best' : '',
                  isLit ? 'jp-mod-lit' : '',
                  trial.state === 'pruned' || trial.state === 'failed'
                    ? 'jp-mod-pruned'
                    : ''
                ].join(' ')}
                style={{
                  opacity: isLit || isBest ? 1 : 0.15 + 0.65 * good(trial) ** 2
                }}
                points={points.filter(point => point !== null).join(' ')}
                onMouseEnter={() => props.onHighlight(trial.number)}
                onMouseLeave={() => props.onHighlight(null)}
                onClick={() => props.onOpen(trial)}
              >
                <title>{told(trial)}</title>
              </polyline>
            );
          })}
          {axes.map((axis, place) => (
            <g key={axis.name} className="jp-TrainingParallel-axis">
              <line x1={x(place)} x2={x(place)} y1={y(0)} y2={y(1)} />
              <text x={x(place)} y={TOP - 18} textAnchor="middle">
                {axis.name}
              </text>
              {axis.ticks.map(({ at, value }) => (
                <text
                  key={String(value)}
                  className="jp-mod-tick"
                  x={x(place) + 5}
                  y={y(at) + 4}
                >
                  {parameterText(value)}
                </text>
              ))}
            </g>
          ))}
        </svg>
      </div>
    </figure>
  );

  function told(trial: ITrial): string {
    return [
      trans.__('Trial %1', trial.number),
      ...Object.entries(trial.params).map(
        ([name, value]) => `${name} ${parameterText(value)}`
      ),
      `${found.search.metric} ${parameterText(trial.value)}`
    ].join('\n');
  }
}

/** A parameter or a value as people read it. */
export function parameterText(value: ParameterValue | undefined): string {
  return typeof value === 'number' ? figure(value) : String(value ?? '');
}
