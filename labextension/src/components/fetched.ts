/**
 * What a part of a view fetches for itself, as long as somebody looks at it.
 */
import { useContext, useEffect, useRef, useState } from 'react';

import { ApiError } from '../model/errors';
import { Refresher } from '../model/refresher';
import { troubleText } from '../model/troubles';
import type { IJobEvent } from '../model/types';
import { Shown, useTraining } from './context';

export interface IFetched<T> {
  value: T | null;
  /** Why it could not be fetched the last time, or nothing. */
  error: string;
}

export interface IWhen {
  /** Fetch again after so long (ms); never by itself if null. */
  everyMs?: number | null;
  /** Fetch again after these events. */
  isAbout?: (event: IJobEvent) => boolean;
}

const PAUSE_MS = 500;

/**
 * Something that the server tells, fetched again whenever it may have changed.
 *
 * @param fetch - Asks the server.
 * @param key - What it is of. What was fetched for another one is shown no more.
 * @param version - It is fetched again when this is another one.
 */
export function useFetched<T>(
  fetch: () => Promise<T>,
  key: string,
  version: unknown,
  when: IWhen = {}
): IFetched<T> {
  const { model, trans } = useTraining();
  const isShown = useContext(Shown);
  const [fetched, setFetched] = useState<IFetched<T> & { key: string }>({
    key,
    value: null,
    error: ''
  });
  const latest = useRef({ fetch, isAbout: when.isAbout });
  latest.current = { fetch, isAbout: when.isAbout };
  const refresher = useRef<Refresher | null>(null);
  const everyMs = when.everyMs ?? null;

  useEffect(() => {
    if (!isShown) {
      return;
    }
    let isCurrent = true;
    const made = new Refresher(async () => {
      try {
        const value = await latest.current.fetch();
        if (isCurrent) {
          setFetched({ key, value, error: '' });
        }
      } catch (error) {
        if (!(error instanceof ApiError)) {
          throw error;
        }
        if (isCurrent) {
          const told = troubleText(error, trans);
          setFetched(known => ({
            key,
            value: known.key === key ? known.value : null,
            error: told
          }));
        }
      }
    }, PAUSE_MS);
    refresher.current = made;
    made.request();
    const onEvent = (_: unknown, event: IJobEvent): void => {
      if (latest.current.isAbout?.(event)) {
        made.request();
      }
    };
    const onRefreshed = (): void => made.request();
    model.jobChanged.connect(onEvent);
    model.refreshed.connect(onRefreshed);
    return () => {
      isCurrent = false;
      model.jobChanged.disconnect(onEvent);
      model.refreshed.disconnect(onRefreshed);
      made.dispose();
      refresher.current = null;
    };
  }, [isShown, key, model, trans]);

  const seen = useRef(version);
  useEffect(() => {
    if (seen.current !== version) {
      seen.current = version;
      refresher.current?.request();
    }
  }, [version]);

  useEffect(() => {
    if (everyMs === null || !isShown) {
      return;
    }
    const timer = setInterval(() => refresher.current?.request(), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, isShown]);

  return fetched.key === key ? fetched : { value: null, error: '' };
}
