/**
 * One field of the dialog, with its help and what is wrong with it.
 */
import React, { useEffect, useId, useRef, useState } from 'react';

export interface IFieldProps {
  name: string;
  label: string;
  value: string;
  onChange: (value: string) => void;
  help?: string;
  error?: string | undefined;
  required?: boolean;
  wide?: boolean;
  lines?: number;
  inputMode?: 'numeric' | 'decimal';
  placeholder?: string;
  suggestions?: readonly string[];
  /** What there is to choose from, each with the word for it. */
  choices?: readonly (readonly [string, string])[];
}

export function Field(props: IFieldProps): React.JSX.Element {
  const id = useId();
  const described = [props.help && `${id}-help`, props.error && `${id}-error`]
    .filter(Boolean)
    .join(' ');
  const common = {
    id,
    name: props.name,
    className: 'jp-mod-styled',
    value: props.value,
    required: props.required,
    'aria-invalid': props.error !== undefined,
    'aria-describedby': described || undefined
  };
  const typed = {
    ...common,
    placeholder: props.placeholder,
    spellCheck: false
  };
  return (
    <div className={`jp-Training-field${props.wide ? ' jp-mod-wide' : ''}`}>
      <label htmlFor={id}>
        {props.label}
        {props.required && <span aria-hidden="true"> *</span>}
      </label>
      {props.choices ? (
        <select
          {...common}
          onChange={event => props.onChange(event.target.value)}
        >
          {props.choices.map(([value, word]) => (
            <option key={value} value={value}>
              {word}
            </option>
          ))}
        </select>
      ) : props.lines ? (
        <textarea
          {...typed}
          rows={props.lines}
          onChange={event => props.onChange(event.target.value)}
          onKeyDown={keepEnter}
        />
      ) : (
        <input
          {...typed}
          type="text"
          autoComplete="off"
          inputMode={props.inputMode}
          list={props.suggestions?.length ? `${id}-list` : undefined}
          onChange={event => props.onChange(event.target.value)}
        />
      )}
      {props.suggestions && props.suggestions.length > 0 && (
        <datalist id={`${id}-list`}>
          {props.suggestions.map(one => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      {props.help && (
        <small id={`${id}-help`} className="jp-Training-help">
          {props.help}
        </small>
      )}
      {props.error !== undefined && (
        <small id={`${id}-error`} className="jp-Training-error">
          {props.error}
        </small>
      )}
    </div>
  );
}

/** In a dialog Enter would submit it. */
export function keepEnter(event: React.KeyboardEvent): void {
  if (event.key === 'Enter') {
    event.stopPropagation();
  }
}

/** The fields of a row in which something is typed. */
type TextOf<Row> = {
  [Name in keyof Row]-?: Row[Name] extends string ? Name : never;
}[keyof Row];

export interface IRowsProps<Row> {
  /** What the list is, for a screen reader too. */
  title: string;
  help: string;
  rows: readonly Row[];
  empty: Row;
  /** The words of the button that adds one, and of the one that removes the one of this number. */
  add: string;
  remove: (place: number) => string;
  error: string | undefined;
  errorOf: (place: number) => string | undefined;
  /** What there is to say of a row that its fields do not. */
  noteOf?: (row: Row) => string;
  onChange: (rows: Row[]) => void;
  /** The fields of a row, and what makes one of them. */
  children: (
    row: Row,
    cell: (
      name: TextOf<Row>,
      label: string,
      look?: ICellLook
    ) => React.JSX.Element
  ) => React.ReactNode;
}

/** Rows of fields, of which there may be any number. */
export function Rows<Row extends object>(
  props: IRowsProps<Row>
): React.JSX.Element {
  const id = useId();
  const { rows } = props;
  const host = useRef<HTMLFieldSetElement>(null);
  const [toFocus, setToFocus] = useState<string | null>(null);
  useEffect(() => {
    if (toFocus !== null) {
      host.current?.querySelector<HTMLElement>(toFocus)?.focus();
      setToFocus(null);
    }
  }, [toFocus]);
  const add = (): void => {
    props.onChange([...rows, props.empty]);
    setToFocus(`[data-row="${rows.length}"] input`);
  };
  const remove = (place: number): void => {
    props.onChange(rows.filter((_, at) => at !== place));
    // What is there instead, or else what adds one.
    const next = Math.min(place, rows.length - 2);
    setToFocus(
      next < 0 ? '.jp-Training-add' : `[data-row="${next}"] .jp-Training-remove`
    );
  };
  const change = (place: number, name: TextOf<Row>, value: string): void =>
    props.onChange(
      rows.map((row, at) => (at === place ? { ...row, [name]: value } : row))
    );
  return (
    <fieldset
      ref={host}
      className="jp-Training-rows"
      aria-describedby={`${id}-help`}
    >
      <legend>{props.title}</legend>
      <small id={`${id}-help`} className="jp-Training-help">
        {props.help}
      </small>
      {rows.map((row, place) => {
        const error = props.errorOf(place);
        const note = props.noteOf?.(row);
        return (
          <div
            key={place}
            data-row={place}
            role="group"
            aria-label={`${props.title} ${place + 1}`}
            className="jp-Training-rowFields"
          >
            {props.children(row, (name, label, look) => (
              <Cell
                {...look}
                label={label}
                value={String(row[name])}
                invalid={error !== undefined}
                onChange={value => change(place, name, value)}
              />
            ))}
            <button
              type="button"
              className="jp-mod-styled jp-Training-button jp-Training-remove"
              title={props.remove(place)}
              aria-label={props.remove(place)}
              onKeyDown={keepEnter}
              onClick={() => remove(place)}
            >
              ×
            </button>
            {note && <small className="jp-Training-help">{note}</small>}
            {error !== undefined && (
              <small className="jp-Training-error" role="alert">
                {error}
              </small>
            )}
          </div>
        );
      })}
      <button
        type="button"
        className="jp-mod-styled jp-Training-button jp-mod-plain jp-Training-add"
        onKeyDown={keepEnter}
        onClick={add}
      >
        {props.add}
      </button>
      {props.error !== undefined && (
        <small className="jp-Training-error">{props.error}</small>
      )}
    </fieldset>
  );
}

export interface ICellLook {
  kind?: string;
  placeholder?: string;
  choices?: readonly string[];
}

/** A field of a row: its label is for a screen reader, and what is in it while it is empty. */
function Cell(
  props: ICellLook & {
    label: string;
    value: string;
    invalid: boolean;
    onChange: (value: string) => void;
  }
): React.JSX.Element {
  const common = {
    className: `jp-mod-styled jp-Training-cell${props.kind ? ` jp-mod-${props.kind}` : ''}`,
    value: props.value,
    'aria-label': props.label,
    'aria-invalid': props.invalid
  };
  return props.choices ? (
    <select {...common} onChange={event => props.onChange(event.target.value)}>
      {props.choices.map(one => (
        <option key={one}>{one}</option>
      ))}
    </select>
  ) : (
    <input
      {...common}
      type="text"
      autoComplete="off"
      spellCheck={false}
      title={props.label}
      placeholder={props.placeholder ?? props.label}
      onChange={event => props.onChange(event.target.value)}
    />
  );
}
