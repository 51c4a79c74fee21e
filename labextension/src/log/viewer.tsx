/**
 * A log, of which only the lines that can be seen are drawn.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useVirtualizer } from '@tanstack/react-virtual';
import React, { useCallback, useLayoutEffect, useRef, useState } from 'react';

import { Button, usePacedSignal } from '../components/context';
import { troubleText } from '../model/troubles';
import type { ILineMatch } from './buffer';
import type { LogFollower } from './follower';
import { useSearch } from './search';
import { marked, spansOf } from './spans';

const LINE_PX = 18;
/** Nobody reads faster than this; each time all lines that are seen are drawn. */
export const LEAST_MS = 100;

export interface ILogViewerProps {
  follower: LogFollower;
  trans: TranslationBundle;
  /** Save the whole log as a file. */
  onDownload: () => void;
  /** The attempts that there are, if they can be chosen. */
  attempts: number;
  /** How many processes print; of several, one can be chosen. */
  ranks: number;
}

export function LogViewer(props: ILogViewerProps): React.JSX.Element {
  const { follower, trans } = props;
  const { buffer } = follower;
  usePacedSignal(LEAST_MS, buffer.changed, follower.changed);
  const scroller = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const [wraps, setWraps] = useState(false);
  const [current, setCurrent] = useState(-1);
  const search = useSearch(buffer);
  // With another function all lines would be placed anew at each frame.
  const { shifted: shift } = buffer;
  const getItemKey = useCallback((index: number) => index + shift, [shift]);
  const virtualizer = useVirtualizer({
    count: buffer.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 10,
    useFlushSync: false,
    getItemKey
  });

  // What is read stays where it is when lines come or go before it.
  const shifted = useRef(buffer.shifted);
  useLayoutEffect(() => {
    const moved = buffer.shifted - shifted.current;
    shifted.current = buffer.shifted;
    if (moved !== 0 && !follows && scroller.current) {
      scroller.current.scrollTop -= moved * LINE_PX;
    }
  });
  useLayoutEffect(() => {
    if (follows && buffer.length) {
      virtualizer.scrollToIndex(buffer.length - 1, { align: 'end' });
    }
  }, [follows, buffer.length, buffer.end, virtualizer]);

  // Who was taken to a line stays there, also in a log that is so short that its end is in view.
  const jumped = useRef(false);
  const goTo = useCallback(
    (line: number) => {
      jumped.current = true;
      setFollows(false);
      setCurrent(line + buffer.shifted);
      virtualizer.scrollToIndex(line, { align: 'center' });
    },
    [buffer, virtualizer]
  );
  const goToMatch = (step: number): void => {
    const line = search.go(step);
    if (line !== null) {
      goTo(line);
    }
  };
  const [isLoadingAll, setLoadingAll] = useState(false);
  const loadAll = (): void => {
    // Who looks for something in the past does not want to be at the end.
    setFollows(false);
    setLoadingAll(true);
    void follower.loadAll().finally(() => setLoadingAll(false));
  };
  const goToError = (): void => {
    const line = buffer.nextError(current < 0 ? -1 : current - buffer.shifted);
    if (line >= 0) {
      goTo(line);
    }
  };

  const onScroll = (): void => {
    const node = scroller.current;
    if (!node) {
      return;
    }
    const atEnd =
      node.scrollHeight - node.scrollTop - node.clientHeight < LINE_PX;
    const mayFollow = atEnd && !jumped.current;
    if (atEnd !== follows && (mayFollow || byHand.current)) {
      setFollows(atEnd);
    }
    if (node.scrollTop < LINE_PX * 20 && !follows) {
      void follower.loadEarlier();
    }
  };
  // Only a person lets go of the end; lines that come do not.
  const byHand = useRef(false);
  const touch = (): void => {
    byHand.current = true;
    jumped.current = false;
    clearTimeout(untouched.current);
    untouched.current = setTimeout(() => (byHand.current = false), 500);
  };
  const untouched = useRef<ReturnType<typeof setTimeout> | undefined>(
    undefined
  );

  const states = {
    connecting: trans.__('Loading…'),
    following: trans.__('Live'),
    away: trans.__('Connection lost, trying again…'),
    ended: trans.__('Complete')
  };
  return (
    <div className="jp-TrainingLog">
      <div
        className="jp-TrainingLog-bar"
        role="toolbar"
        aria-label={trans.__('Log')}
      >
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Search the log')}
          aria-label={trans.__('Search the log')}
          value={search.text}
          onChange={event => search.setText(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              goToMatch(event.shiftKey ? -1 : 1);
            }
          }}
        />
        <span className="jp-TrainingLog-count" role="status">
          {search.text && trans.__('%1 of %2', search.place + 1, search.count)}
        </span>
        {search.text && buffer.hasEarlier && (
          <Button
            disabled={isLoadingAll}
            onClick={loadAll}
            title={trans.__('Only what is loaded is searched')}
          >
            {isLoadingAll
              ? trans.__('Loading…')
              : trans.__('Search earlier lines')}
          </Button>
        )}
        <Button disabled={!buffer.hasErrors} onClick={goToError}>
          {trans.__('Next error')}
        </Button>
        <Button
          pressed={follows}
          onClick={() => setFollows(!follows)}
          title={trans.__('Stay at the end as lines come')}
        >
          {trans.__('Follow')}
        </Button>
        <Button pressed={wraps} onClick={() => setWraps(!wraps)}>
          {trans.__('Wrap')}
        </Button>
        {props.attempts > 1 && (
          <select
            className="jp-mod-styled"
            aria-label={trans.__('Attempt')}
            value={follower.attempt ?? props.attempts}
            onChange={event => {
              const attempt = Number(event.target.value);
              if (attempt === props.attempts) {
                follower.start();
              } else {
                void follower.show(attempt);
              }
            }}
          >
            {Array.from(
              { length: props.attempts },
              (_, place) => place + 1
            ).map(attempt => (
              <option key={attempt} value={attempt}>
                {trans.__('Attempt %1', attempt)}
              </option>
            ))}
          </select>
        )}
        {props.ranks > 1 && (
          <select
            className="jp-mod-styled"
            aria-label={trans.__('Rank')}
            value={follower.rank ?? ''}
            onChange={event => {
              const { value } = event.target;
              follower.rank = value === '' ? null : Number(value);
            }}
          >
            <option value="">{trans.__('All ranks')}</option>
            {Array.from({ length: props.ranks }, (_, rank) => (
              <option key={rank} value={rank}>
                {trans.__('Rank %1', rank)}
              </option>
            ))}
          </select>
        )}
        <Button onClick={props.onDownload}>{trans.__('Download')}</Button>
        <span className={`jp-TrainingLog-state jp-mod-${follower.state}`}>
          {states[follower.state]}
        </span>
      </div>
      <div
        ref={scroller}
        className={`jp-TrainingLog-lines jp-RenderedText${wraps ? ' jp-mod-wraps' : ''}`}
        role="log"
        aria-live="off"
        aria-label={trans.__('What the job has printed')}
        tabIndex={0}
        onScroll={onScroll}
        onWheel={touch}
        onKeyDown={touch}
        onPointerDown={touch}
        onTouchMove={touch}
      >
        {buffer.length === 0 && (
          <p className="jp-Training-note">
            {follower.error
              ? troubleText(follower.error, trans)
              : follower.state === 'connecting'
                ? trans.__('Loading…')
                : trans.__('Nothing was printed yet.')}
          </p>
        )}
        <pre style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map(({ index, start, key }) => (
            <Line
              key={key}
              index={index}
              start={start}
              text={buffer.line(index)}
              isCurrent={index + buffer.shifted === current}
              matches={search.of(index)}
              measure={wraps ? virtualizer.measureElement : undefined}
            />
          ))}
        </pre>
      </div>
    </div>
  );
}

const Line = React.memo(
  (props: {
    index: number;
    start: number;
    text: string;
    isCurrent: boolean;
    matches: readonly ILineMatch[];
    measure: ((node: Element | null) => void) | undefined;
  }) => (
    <div
      className={`jp-TrainingLog-line${props.isCurrent ? ' jp-mod-current' : ''}`}
      data-index={props.index}
      ref={props.measure}
      style={{ transform: `translateY(${props.start}px)` }}
    >
      {marked(
        spansOf(props.text),
        props.matches.map(match => ({ ...match, isCurrent: props.isCurrent }))
      ).map((span, place) => (
        <span
          key={place}
          className={span.classes || undefined}
          style={span.style}
        >
          {span.text}
        </span>
      ))}
      {props.text === '' && ' '}
    </div>
  )
);
Line.displayName = 'Line';
