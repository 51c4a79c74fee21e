/**
 * What would become of the job if it were submitted now.
 */
import React from 'react';

import { type ITraining, told, useTraining } from '../components/context';
import { duration } from '../model/times';
import type { IForecast } from '../model/types';
import { resourcesWord } from '../model/words';

/** How the server begins what it says of a job for which no machine is large enough. */
const NEVER = 'can never start here';

export function Forecast(props: {
  forecast: IForecast | null;
  error: string | undefined;
  isSubmitting?: boolean;
}): React.JSX.Element {
  const training = useTraining();
  const { trans } = training;
  const { forecast, error } = props;
  const kind = error
    ? 'wrong'
    : forecast === null
      ? 'unknown'
      : forecast.node !== null
        ? 'now'
        : 'later';
  return (
    <div className={`jp-Training-forecast jp-mod-${kind}`} role="status">
      {props.isSubmitting ? (
        trans.__('Submitting…')
      ) : error ? (
        <span className="jp-Training-error">{error}</span>
      ) : forecast === null ? (
        <span className="jp-Training-help">
          {trans.__('Where and when it would start is told here.')}
        </span>
      ) : (
        <>
          <b>{when(forecast, training)}</b> ({resourcesWord(forecast, trans)})
          {forecast.node === null && forecast.reason && (
            <div>{told(forecast.reason, training)}</div>
          )}
        </>
      )}
    </div>
  );
}

/** “Would start now on GPU 1, 3”, “Would start after “bert”, in about 2 h”. */
export function when(
  forecast: IForecast,
  { trans, model }: Pick<ITraining, 'trans' | 'model'>
): string {
  const { node, gpus, starts_in_s: seconds, after, reason } = forecast;
  if (node !== null) {
    const numbers = gpus
      .map(uuid => model.gpu(uuid)?.index ?? null)
      .filter(index => index !== null);
    const several = (model.machines?.nodes.length ?? 1) > 1;
    if (!numbers.length || numbers.length < gpus.length) {
      return trans.__('Would start now on %1', node);
    }
    return several
      ? trans.__('Would start now on GPU %1 of %2', numbers.join(', '), node)
      : trans.__('Would start now on GPU %1', numbers.join(', '));
  }
  if (seconds === null) {
    return reason?.startsWith(NEVER)
      ? trans.__('Would never start')
      : trans.__('Would wait');
  }
  const time = duration(seconds, trans);
  return after !== null
    ? trans.__(
        'Would start after “%1”, in about %2',
        model.find(after)?.name ?? after,
        time
      )
    : trans.__('Would start in about %1', time);
}
