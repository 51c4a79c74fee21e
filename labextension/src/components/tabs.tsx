import React, { useId, useRef } from 'react';

export interface ITab {
  key: string;
  label: string;
}

/** Tabs with the keys that are usual for them: the arrows, Home and End. */
export function Tabs(props: {
  label: string;
  tabs: readonly ITab[];
  current: string;
  onChange: (key: string) => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const place = Math.max(
    0,
    props.tabs.findIndex(tab => tab.key === props.current)
  );
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const many = props.tabs.length;
    const next = {
      ArrowRight: (place + 1) % many,
      ArrowLeft: (place + many - 1) % many,
      Home: 0,
      End: many - 1
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      props.onChange(props.tabs[next].key);
      (list.current?.children[next] as HTMLElement | undefined)?.focus();
    }
  };
  return (
    <>
      <div
        ref={list}
        role="tablist"
        aria-label={props.label}
        className="jp-Training-tabs"
        onKeyDown={onKeyDown}
      >
        {props.tabs.map((tab, index) => (
          <button
            key={tab.key}
            type="button"
            role="tab"
            id={`${id}-${tab.key}`}
            aria-selected={index === place}
            aria-controls={index === place ? `${id}-panel` : undefined}
            tabIndex={index === place ? 0 : -1}
            onClick={() => props.onChange(tab.key)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        id={`${id}-panel`}
        aria-labelledby={`${id}-${props.tabs[place].key}`}
        className="jp-Training-tabPanel"
      >
        {props.children}
      </div>
    </>
  );
}
