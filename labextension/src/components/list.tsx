/**
 * The lists of jobs as one list of which only what can be seen is drawn.
 *
 * For a screen reader it is a grid: arrow keys go from row to row, Enter opens a job, and the
 * buttons of the current row are reached with the tab key.
 */
import {
  defaultRangeExtractor,
  type Range,
  useVirtualizer,
  type Virtualizer
} from '@tanstack/react-virtual';
import React, {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState
} from 'react';

import type { IJob } from '../model/types';
import { useNow, useSignal, useTraining } from './context';
import { JobRow } from './row';

type Item =
  | { kind: 'heading'; key: string; title: string; count: string }
  | { kind: 'job'; key: string; job: IJob }
  | { kind: 'note'; key: string; text: string }
  | { kind: 'more'; key: string };

const ESTIMATES = { heading: 30, job: 58, note: 40, more: 40 };

export function JobList(props: {
  selected: ReadonlySet<string>;
  onSelect: (ids: ReadonlySet<string>) => void;
}): React.JSX.Element {
  const { trans, model, execute } = useTraining();
  useSignal(model.changed);
  const { active, ended, hasMore } = model;
  const now = useNow(active.length ? 5000 : 60_000);
  // Of active jobs only order and section count here: what they do changes all the time.
  const order = active.map(job => `${job.job_id} ${isGoing(job)}`).join();
  const items = useMemo(
    () => itemsOf(active, ended, hasMore, model.filterText, trans),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [order, ended, hasMore, model.filterText]
  );
  // The items tell of an active job that it is there; what it is, changes all the time.
  const activeById = new Map(active.map(job => [job.job_id, job]));
  const scroller = useRef<HTMLDivElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const jobs = useMemo(
    () => items.filter(item => item.kind === 'job'),
    [items]
  );
  const currentKey = useMemo(
    () =>
      jobs.some(item => item.key === current)
        ? current
        : (jobs[0]?.key ?? null),
    [jobs, current]
  );
  // With another function all rows would be placed anew at each frame.
  const getItemKey = useCallback((index: number) => items[index].key, [items]);
  // As high as the last one that was like it: to ask a row that is new for its height would have
  // the page laid out at each frame. The observer tells in time where that is wrong.
  const heights = useRef(new Map<string, number>());
  const measureElement = useCallback(
    (
      node: Element,
      entry: ResizeObserverEntry | undefined,
      instance: Virtualizer<HTMLDivElement, Element>
    ) => {
      const index = instance.indexFromElement(node);
      const [box] = entry?.borderBoxSize ?? [];
      if (box === undefined) {
        return (
          instance.measurementsCache[index]?.size ??
          instance.options.estimateSize(index)
        );
      }
      const height = Math.round(box.blockSize);
      if (index in items) {
        heights.current.set(shapeOf(items[index]), height);
      }
      return height;
    },
    [items]
  );
  const currentPlace = items.findIndex(item => item.key === currentKey);
  // The current row stays when it is scrolled away: it may have the focus, which would be lost.
  const rangeExtractor = useCallback(
    (range: Range) => {
      const shown = defaultRangeExtractor(range);
      return currentPlace < 0 || shown.includes(currentPlace)
        ? shown
        : [...shown, currentPlace].sort((one, other) => one - other);
    },
    [currentPlace]
  );
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: index =>
      heights.current.get(shapeOf(items[index])) ??
      ESTIMATES[items[index].kind],
    measureElement,
    getItemKey,
    rangeExtractor,
    overscan: 8,
    useFlushSync: false
  });
  const shown = virtualizer.getVirtualItems();

  const reachesEnd = shown.some(({ index }) => items[index]?.kind === 'more');
  useEffect(() => {
    if (reachesEnd) {
      void model.loadMore();
    }
    // Again when more is there, and when the server is there again.
  }, [reachesEnd, ended.length, model.state.trouble, model]);

  // Where a row with the focus has gone, the one in its place gets it.
  const hadFocus = useRef<number | null>(null);
  useEffect(() => {
    const place = hadFocus.current;
    if (place !== null && document.activeElement === document.body) {
      hadFocus.current = null;
      const next = jobs[Math.min(place, jobs.length - 1)];
      if (next) {
        focus(next);
      }
    }
  });

  const focus = (next: Item): void => {
    // If it was at a button of another row: that one goes away with it.
    hadFocus.current = jobs.findIndex(item => item.key === next.key);
    setCurrent(next.key);
    virtualizer.scrollToIndex(items.indexOf(next), { align: 'auto' });
    requestAnimationFrame(() =>
      scroller.current
        ?.querySelector<HTMLElement>(`[data-job="${CSS.escape(next.key)}"]`)
        ?.focus()
    );
  };

  const go = (step: number): void => {
    const place = jobs.findIndex(item => item.key === currentKey);
    const next = jobs[Math.max(0, Math.min(jobs.length - 1, place + step))];
    if (next) {
      focus(next);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (
      event.target instanceof HTMLButtonElement &&
      event.key !== 'ArrowUp' &&
      event.key !== 'ArrowDown'
    ) {
      return;
    }
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 10,
      PageUp: -10,
      Home: -Infinity,
      End: Infinity
    };
    if (event.key in steps) {
      go(
        steps[event.key] === Infinity
          ? jobs.length
          : Math.max(steps[event.key], -jobs.length)
      );
    } else if (event.key === 'Enter' && currentKey) {
      execute('training:open', { job: currentKey });
    } else if (event.key === ' ' && currentKey) {
      toggle(currentKey);
    } else if (event.key === 'Delete' && currentKey) {
      execute('training:delete', { job: currentKey });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const toggle = (id: string): void => {
    const next = new Set(props.selected);
    if (!next.delete(id)) {
      next.add(id);
    }
    props.onSelect(next);
  };

  return (
    <div ref={scroller} className="jp-Training-scroller" tabIndex={-1}>
      <div
        role="grid"
        aria-label={trans.__('Training jobs')}
        aria-rowcount={hasMore ? -1 : items.length}
        aria-multiselectable="true"
        className="jp-Training-grid"
        style={{ height: virtualizer.getTotalSize() }}
        onKeyDown={onKeyDown}
      >
        {shown.map(({ index, start, key }) => {
          const item = items[index];
          const place = {
            'data-index': index,
            'aria-rowindex': index + 1,
            ref: virtualizer.measureElement,
            style: { transform: `translateY(${start}px)` }
          };
          if (item.kind !== 'job') {
            return (
              <div key={key} role="row" className="jp-Training-row" {...place}>
                <Other item={item} />
              </div>
            );
          }
          const job = activeById.get(item.key) ?? item.job;
          const isCurrent = item.key === currentKey;
          return (
            <div
              key={key}
              role="row"
              className="jp-Training-row jp-Training-jobRow"
              data-job={job.job_id}
              data-status={job.status}
              aria-selected={props.selected.has(job.job_id)}
              tabIndex={isCurrent ? 0 : -1}
              onFocus={() => {
                setCurrent(job.job_id);
                hadFocus.current = jobs.indexOf(item);
              }}
              onBlur={() => {
                // Of a row that goes away with the focus this is not called.
                hadFocus.current = null;
              }}
              onClick={event => {
                if (event.ctrlKey || event.metaKey) {
                  toggle(job.job_id);
                } else {
                  execute('training:open', { job: job.job_id });
                }
              }}
              {...place}
            >
              <JobRow
                job={job}
                now={now}
                isCurrent={isCurrent}
                isSelected={props.selected.has(job.job_id)}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Other({
  item
}: {
  item: Exclude<Item, { kind: 'job' }>;
}): React.JSX.Element {
  const { trans } = useTraining();
  switch (item.kind) {
    case 'heading':
      return (
        <div role="rowheader" className="jp-Training-heading">
          <span>{item.title}</span>
          <span>{item.count}</span>
        </div>
      );
    case 'note':
      return (
        <div role="gridcell" className="jp-Training-note">
          {item.text}
        </div>
      );
    case 'more':
      return (
        <div role="gridcell" className="jp-Training-note">
          {trans.__('Loading…')}
        </div>
      );
  }
}

/** What two rows have in common that are equally high. */
function shapeOf(item: Item): string {
  return item.kind === 'job'
    ? `${item.job.status} ${item.job.reason ? 'why' : ''}`
    : item.kind;
}

function isGoing(job: IJob): boolean {
  return job.status === 'running' || job.status === 'scheduled';
}

function itemsOf(
  active: readonly IJob[],
  ended: readonly IJob[],
  hasMore: boolean,
  filter: string,
  trans: ReturnType<typeof useTraining>['trans']
): Item[] {
  const items: Item[] = [];
  const section = (
    title: string,
    jobs: readonly IJob[],
    more = false
  ): void => {
    if (jobs.length) {
      items.push({
        kind: 'heading',
        key: title,
        title,
        count: more ? trans.__('%1+', jobs.length) : String(jobs.length)
      });
      items.push(
        ...jobs.map(job => ({ kind: 'job' as const, key: job.job_id, job }))
      );
    }
  };
  section(trans.__('Running'), active.filter(isGoing));
  section(
    trans.__('Queued'),
    active.filter(job => !isGoing(job))
  );
  section(trans.__('Finished'), ended, hasMore);
  if (hasMore) {
    items.push({ kind: 'more', key: 'more' });
  }
  if (!items.length && filter) {
    items.push({
      kind: 'note',
      key: 'nothing',
      text: trans.__('No job matches “%1”.', filter)
    });
  }
  return items;
}
