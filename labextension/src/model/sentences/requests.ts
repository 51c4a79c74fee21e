/**
 * What is wrong with what somebody asks for.
 */
import { type IRule, name, type Place, rule, sentence } from './rules';

const word: Place = text => (/^\w+$/.test(text) ? text : null);

export const WRONG: readonly IRule[] = [
  rule(
    (trans, stage, what) => trans.__('stage %1: %2', stage, what),
    name,
    sentence
  ),
  rule(trans => trans.__('is required')),
  rule(trans => trans.__('should not be empty')),
  rule(trans => trans.__('should be one line without control characters')),
  rule(trans => trans.__('should name a program to run')),
  rule(trans => trans.__('should be a plain name such as fit or fit-2')),
  rule(trans =>
    trans.__(
      'cannot be split into words (no closing quotation); check its quotes or give an array'
    )
  ),
  rule(trans =>
    trans.__(
      'cannot be split into words (no escaped character); check its quotes or give an array'
    )
  ),
  rule((trans, least, given) =>
    trans.__('should be greater than or equal to %1, not %2', least, given)
  ),
  rule((trans, most, given) =>
    trans.__('should be less than or equal to %1, not %2', most, given)
  ),
  rule((trans, least, given) =>
    trans.__('should be greater than %1, not %2', least, given)
  ),
  rule((trans, low, high) =>
    trans.__('low should be less than high, not %1 and %2', low, high)
  ),
  rule((trans, kind, low) =>
    trans.__('low should be above 0 for %1, not %2', kind, low)
  ),
  rule((trans, length, most) =>
    trans.__('has %1 characters, and may have %2', length, most)
  ),
  rule((trans, length, most) =>
    trans.__('has %1 items, and may have %2', length, most)
  ),
  rule(trans => trans.__('a choice needs at least one value')),
  rule(trans => trans.__('a choice should have each value once')),
  rule(trans => trans.__('a pipeline needs at least one stage')),
  rule((trans, kind, given) =>
    trans.__('is for jobs of the type %1, and this is %2', kind, given)
  ),
  rule((trans, variable) =>
    trans.__('%1 is set by jupyter-training itself', variable)
  ),
  rule((trans, given) =>
    trans.__('%1 is not a name for an environment variable', given)
  ),
  rule(trans => trans.__('should name at least one parameter')),
  rule((trans, a) => trans.__('should not be more than nodes, which is %1', a)),
  rule(trans =>
    trans.__(
      'mpi reaches other nodes by ssh, which nobody serves there; use one node, and procs_per_node or GPUs for the number of ranks'
    )
  ),
  rule(trans =>
    trans.__('a pipeline has none of its own; give it to its stages')
  ),
  rule(trans =>
    trans.__(
      "its trials would overwrite each other's results; each finds a directory of its own in JUPYTER_TRAINING_OUTPUT_DIR"
    )
  ),
  rule(trans => trans.__('is for a job that runs something itself')),
  rule(trans =>
    trans.__('only a pipeline has stages; its job_type is pipeline')
  ),
  rule((trans, a) => trans.__('pipelines in pipelines may be %1 deep', a)),
  rule(trans => trans.__('is that of the pipeline')),
  rule((trans, a) => trans.__('should be a number, not %1', a)),
  rule(trans => trans.__('should be a finite number')),
  rule((trans, a) =>
    trans.__('values are for a choice; %1 has low and high', a)
  ),
  rule((trans, kind, what) => trans.__('%1 needs %2', kind, what), word, word),
  rule((trans, a, b, c) =>
    trans.__('%1 should be a whole number for %2, not %3', a, b, c)
  ),
  rule((trans, a) => trans.__('%1 has no step', a)),
  rule((trans, a) =>
    trans.__('step should be above 0 and fit into the range, not %1', a)
  ),
  rule((trans, a) =>
    trans.__(
      '%1 has infinitely many values, and a grid tries all of them; give it a step or use choice',
      a
    )
  ),
  rule((trans, a, b) =>
    trans.__('this grid has %1 points; at most %2 are tried', a, b)
  ),
  rule(trans =>
    trans.__(
      'cmaes is for numbers, and here are only choices; use tpe or random'
    )
  ),
  rule(trans =>
    trans.__(
      'is required, or else budget_hours or gpu_hours, or nothing ends it'
    )
  ),
  rule((trans, a, b) => trans.__('there are %1 stages named %2', a, b)),
  rule((trans, a, b, c) =>
    trans.__(
      '%1 depends on %2, and there is no such stage; did you mean %3?',
      a,
      b,
      c
    )
  ),
  rule((trans, a, b) =>
    trans.__('%1 depends on %2, and there is no such stage', a, b)
  ),
  rule((trans, a) => trans.__('%1 is a cycle: it cannot go after itself', a)),
  rule((trans, a) => trans.__('%1 is a cycle: none of them could begin', a)),
  rule((trans, a) => trans.__('should be a valid integer, not %1', a)),
  rule((trans, a) => trans.__('should be a valid string, not %1', a)),
  rule((trans, a) => trans.__('no such field; did you mean %1?', a)),
  rule(trans => trans.__('no such field'))
];

/** Why something cannot be done to a job. */
export const REFUSED: readonly IRule[] = [
  rule((trans, id) =>
    trans.__('%1 cannot be cancelled: it has already completed.', id)
  ),
  rule((trans, id) =>
    trans.__('%1 cannot be cancelled: it has already failed.', id)
  ),
  rule((trans, id) => trans.__('There is no job %1.', id))
];
