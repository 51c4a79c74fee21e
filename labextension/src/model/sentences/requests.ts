/**
 * What is wrong with what somebody asks for.
 */
import { type IRule, name, type Place, read, rule, sentence } from './rules';

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
  rule(trans =>
    trans.__(
      'its trials hold no GPU, so nothing would end it; say trials or budget_hours, too'
    )
  ),
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
  rule(trans => trans.__('no such field')),
  rule(trans => trans.__('should not contain a NUL character')),
  rule((trans, a) =>
    trans.__('script is given, so one word of command should be %1', a)
  ),
  rule((trans, a) => trans.__('%1 is for numbers; a choice has values', a)),
  rule(trans =>
    trans.__('is for a pruner; without one no trial is stopped early')
  ),
  rule((trans, a, b) => trans.__('should be less than %1, not %2', a, b)),
  rule((trans, what, there, instead) =>
    trans.__(
      '%1 is not in the space of the search, which has %2; write %3 for what is no parameter',
      what,
      there,
      instead
    )
  ),
  rule((trans, a) =>
    trans.__('%1 is not the name of a variable, such as lr or batch_size', a)
  ),
  rule((trans, a, most) =>
    trans.__(
      '%1 should have at most %2 letters, digits and _, without accents',
      a,
      most
    )
  ),
  rule(trans =>
    trans.__(
      'script stands for the stored script in a command; choose another name'
    )
  ),
  rule((trans, one, other, both) =>
    trans.__(
      '%1 and %2 would both be %3 in the environment; rename one',
      one,
      other,
      both
    )
  ),
  rule((trans, how) =>
    trans.__(
      'a search needs Optuna where the server runs, which is not installed there: %1',
      how
    )
  )
];

const OPTIONS: readonly IRule[] = [
  rule(trans => trans.__('it has none')),
  rule((trans, there) => trans.__('it has %1', there))
];

const options: Place = (text, trans) => read(OPTIONS, text, trans);

/** What is wrong with where it is to run, with what, and who is told of it. */
export const UNFIT: readonly IRule[] = [
  rule((trans, executor, there) =>
    trans.__('there is no executor %1; choose one of: %2', executor, there)
  ),
  rule(
    (trans, able, executor) =>
      trans.__(
        'an image needs the executor %1, not %2; on Slurm, call apptainer, or what else your cluster has, in the command',
        able,
        executor
      ),
    name,
    word
  ),
  rule(
    (trans, able, executor) =>
      trans.__('an image needs the executor %1, not %2', able, executor),
    name,
    word
  ),
  rule(
    (trans, executor) =>
      trans.__(
        'the executor %1 runs jobs without an image; on Slurm, call apptainer, or what else your cluster has, in the command',
        executor
      ),
    word
  ),
  rule(
    (trans, executor) =>
      trans.__('the executor %1 runs jobs without an image', executor),
    word
  ),
  rule(
    (trans, executor) =>
      trans.__('the executor %1 needs an image to run', executor),
    word
  ),
  rule(
    (trans, executor, option, there, other) =>
      trans.__(
        'the executor %1 has no option %2 (%3); %4 has',
        executor,
        option,
        there,
        other
      ),
    word,
    name,
    options
  ),
  rule(
    (trans, executor, option, there) =>
      trans.__(
        'the executor %1 has no option %2 (%3)',
        executor,
        option,
        there
      ),
    word,
    name,
    options
  ),
  rule(
    (trans, cluster) => trans.__('jobs on %1 run without an image', cluster),
    word
  ),
  rule((trans, type, there) =>
    trans.__(
      'no node of the cluster has a GPU of type %1 (there are: %2)',
      type,
      there
    )
  ),
  rule((trans, option, given) =>
    trans.__('should be what sbatch takes for --%1, not %2', option, given)
  ),
  rule((trans, a) => trans.__('%1 should be like "name=value"', a)),
  rule((trans, a) => trans.__('there is no directory %1', a)),
  rule((trans, a) => trans.__('%1 may not be entered', a)),
  rule(trans =>
    trans.__(
      "a container would see all files of this machine, as the server's root directory is /; start the server in another one"
    )
  ),
  rule((trans, a) => trans.__('there is no data set with the number %1', a)),
  rule((trans, a) => trans.__('there is no data set with the name %1', a)),
  rule(
    (trans, dataset, why) =>
      trans.__('its data set %1 is not available: %2', dataset, why),
    name,
    sentence
  ),
  rule((trans, dataset, before, now) =>
    trans.__(
      'its data set %1 is not at %2 any more; a link there leads to %3',
      dataset,
      before,
      now
    )
  ),
  rule((trans, a) =>
    trans.__('there is no job %1; name one by its id or its number', a)
  ),
  rule((trans, a) =>
    trans.__('you have no job %1, so nobody knows who is told of it', a)
  ),
  rule(trans =>
    trans.__(
      'this server knows no receiver of that name (there is none); or give a URL'
    )
  ),
  rule((trans, there) =>
    trans.__(
      'this server knows no receiver of that name (there are %1); or give a URL',
      there
    )
  ),
  rule((trans, url) =>
    trans.__(
      '%1 is not a URL that Apprise understands; its documentation lists them',
      url
    )
  ),
  rule((trans, kind) =>
    trans.__('receivers of the kind %1 are not allowed here', kind)
  ),
  rule((trans, what) =>
    trans.__('%1 would read a file of the server, which is not allowed', what)
  ),
  rule((trans, how) =>
    trans.__(
      'notifications need Apprise, which is not installed where the server runs: %1',
      how
    )
  ),
  rule(trans => trans.__('has to be uploaded first')),
  rule((trans, many, which) =>
    trans.__('%1 of its files have to be uploaded first: %2', many, which)
  )
];
