/**
 * Why a card gets no job.
 */
import {
  both,
  type IRule,
  name,
  number,
  type Place,
  read,
  rule,
  several
} from './rules';

/** What an error of the driver means. */
const XID: readonly IRule[] = [
  rule(trans => trans.__('the GPU stopped processing')),
  rule(trans => trans.__('uncorrectable ECC error')),
  rule(trans => trans.__('its power management halted')),
  rule(trans => trans.__('bad memory could not be retired')),
  rule(trans => trans.__('NVLink error')),
  rule(trans => trans.__('fallen off the bus')),
  rule(trans => trans.__('uncontained ECC error')),
  rule(trans => trans.__('its firmware does not answer')),
  rule(trans => trans.__('error of its firmware'))
];

const xid: Place = (text, trans) => read(XID, text, trans);

const DRIVER: readonly IRule[] = [
  rule(trans => trans.__('there is no NVIDIA driver (no libnvidia-ml.so.1)')),
  rule(trans => trans.__('the NVIDIA driver is not loaded')),
  rule(trans => trans.__('this server may not use the NVIDIA driver')),
  rule(trans =>
    trans.__(
      'the NVIDIA driver and its library are of different versions; after an update, restart the machine'
    )
  ),
  rule((trans, a) => trans.__('the NVIDIA driver cannot be used (%1)', a)),
  rule(trans => trans.__('the NVIDIA driver does not answer'))
];

const driver: Place = (text, trans) => read(DRIVER, text, trans);

const conditions = several(
  / and (?=(?:is|reports|has|could|needs|gets|may|cannot|reported) )/,
  both,
  [
    rule(trans => trans.__('has fallen off the bus')),
    rule(trans => trans.__('needs a reset, says the driver')),
    rule(trans => trans.__('gets too little power: are its cables in place?')),
    rule(trans => trans.__('gets no interrupts')),
    rule(trans => trans.__('is not known to the driver')),
    rule(trans => trans.__('may not be used by this server')),
    rule((trans, a) => trans.__('cannot be read (%1)', a)),
    rule(trans => trans.__('is divided by MIG, which is not supported yet')),
    rule(trans => trans.__('reports uncorrectable ECC errors')),
    rule(trans => trans.__('has bad memory pages to retire at the next reset')),
    rule(trans => trans.__('could not remap bad rows of its memory')),
    rule(trans => trans.__('needs a reset or a restart, says the driver')),
    rule(
      (trans, code, meaning) => trans.__('reported Xid %1 (%2)', code, meaning),
      number,
      xid
    ),
    rule((trans, why) => trans.__('cannot be used: %1', why), driver)
  ]
);

/** What is wrong with a card, or who uses it. */
export const GPUS: readonly IRule[] = [
  rule((trans, why) => trans.__('drained: %1', why), conditions),
  rule((trans, who) => trans.__('in use by %1, not one of our jobs', who)),
  rule(
    (trans, who, more) =>
      trans.__('in use by %1 and %2 more, not our jobs', who, more),
    name,
    number
  ),
  rule(
    (trans, amount) =>
      trans.__(
        'in use: %1 GB of its memory are taken by a process that is not visible',
        amount
      ),
    number
  )
];

export const trouble: Place = (text, trans) => read(GPUS, text, trans);

export const uuid: Place = text => (/^\S+$/.test(text) ? text : null);
