/**
 * Why a job waits.
 */
import {
  both,
  count,
  type IRule,
  jobName,
  name,
  names,
  number,
  type Place,
  read,
  rule,
  sentence,
  several
} from './rules';
import { trouble, uuid } from './gpus';

/** Cards that would do and are given to nobody: `GPU-1 drained: needs a reset; and 2 more`. */
const cards = several(
  /; (?=GPU|and )/,
  (trans, one, other) => trans.__('%1; %2', one, other),
  [
    rule((trans, more) => trans.__('and %1 more', more), number),
    rule((trans, card, why) => trans.__('%1 %2', card, why), uuid, trouble)
  ]
);

/** `2 GPUs (1 free) and 8 CPU cores (0 free)`. */
const lacks = several(/ and (?=\d)/, both, [
  rule(
    (trans, amount, free) => trans.__('%1 (%2 free)', amount, free),
    count,
    number
  ),
  rule(
    (trans, amount, free, why) =>
      trans.__('%1 (%2 free; %3)', amount, free, why),
    count,
    number,
    cards
  )
]);

/** `8 GPUs, the largest machine has 4; 512 GB of memory, the largest machine has 256`. */
const excess = several(
  /; /,
  (trans, one, other) => trans.__('%1; %2', one, other),
  [
    rule(
      (trans, amount, most) =>
        trans.__('%1, the largest machine has %2', amount, most),
      count,
      number
    )
  ]
);

/** `2 nodes, each of 4C / 16GB / 1GPU`, or what a single one is of. */
const wanted: Place = (text, trans) =>
  read(
    [
      rule(
        (trans, nodes, each) => trans.__('%1 nodes, each of %2', nodes, each),
        number,
        wanted
      ),
      rule(
        (trans, nodes, least, each) =>
          trans.__('%1 nodes, or at least %2, each of %3', nodes, least, each),
        number,
        number,
        wanted
      ),
      rule(
        (trans, cores, memory, gpus, type) =>
          trans.__('%1C / %2GB / %3 × %4', cores, memory, gpus, type),
        number,
        number,
        number
      ),
      rule(
        (trans, cores, memory, gpus) =>
          trans.__('%1C / %2GB / %3GPU', cores, memory, gpus),
        number,
        number
      )
    ],
    text,
    trans
  );

export const WAITING: readonly IRule[] = [
  rule(trans => trans.__('is next')),
  rule((trans, many) => trans.__('waits behind %1 job', many), number),
  rule((trans, many) => trans.__('waits behind %1 jobs', many), number),
  rule(trans => trans.__('waits for its turn')),
  rule((trans, who) => trans.__('waits for %1 to complete', who), names),
  rule(
    (trans, what, who) => trans.__('waits for %1, held by %2', what, who),
    lacks,
    names
  ),
  rule((trans, what) => trans.__('waits for %1', what), lacks),
  rule(
    (trans, what, room, who) =>
      trans.__(
        'waits for %1 (there is room for %2), held by %3',
        what,
        room,
        who
      ),
    wanted,
    number,
    names
  ),
  rule(
    (trans, what, room) =>
      trans.__('waits for %1 (there is room for %2)', what, room),
    wanted,
    number
  ),
  rule(
    (trans, what, room, why) =>
      trans.__('waits for %1 (there is room for %2; %3)', what, room, why),
    wanted,
    number,
    cards
  ),
  rule(
    (trans, what, room, why, who) =>
      trans.__(
        'waits for %1 (there is room for %2; %3), held by %4',
        what,
        room,
        why,
        who
      ),
    wanted,
    number,
    cards,
    names
  ),
  rule(
    (trans, what, type) =>
      trans.__(
        'asks for %1 of type %2, but no machine has one (there is no GPU of a known model)',
        what,
        type
      ),
    count
  ),
  rule(
    (trans, what, type) =>
      trans.__(
        'asks for %1 of type %2, but no machine has any (there is no GPU of a known model)',
        what,
        type
      ),
    count
  ),
  rule(trans => trans.__('would delay a job that is ahead of it')),
  rule(
    (trans, who) => trans.__('would delay %1, which is ahead of it', who),
    jobName
  ),
  rule((trans, where) =>
    trans.__(
      'would be handed over to %1, which decides when and where it runs',
      where
    )
  ),
  rule(trans => trans.__('there is no machine to run it')),
  rule(
    (trans, what, room) =>
      trans.__(
        'can never start here: asks for %1, and there is room for %2 at most',
        what,
        room
      ),
    wanted,
    number
  ),
  rule(
    (trans, what) => trans.__('can never start here: asks for %1', what),
    excess
  ),
  rule(
    (trans, what) =>
      trans.__(
        'asks for %1 in one machine, and no machine has all of that',
        what
      ),
    wanted
  ),
  rule(
    (trans, told, meant) => trans.__('%1; did you mean %2?', told, meant),
    sentence
  ),
  rule(
    (trans, told, cluster) =>
      trans.__(
        '%1; --executor %2 sends such a job to a cluster',
        told,
        cluster
      ),
    sentence
  ),
  rule(
    (trans, what, type, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has one (there are: %3)',
        what,
        type,
        there
      ),
    count
  ),
  rule(
    (trans, what, type, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has any (there are: %3)',
        what,
        type,
        there
      ),
    count
  ),
  rule(
    (trans, what, type, most, there) =>
      trans.__(
        'asks for %1 of type %2, but no machine has more than %3 of them (there are: %4)',
        what,
        type,
        most,
        there
      ),
    count,
    name,
    number
  )
];
