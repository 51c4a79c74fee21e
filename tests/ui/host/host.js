// What anywidget promises a widget, wherever it is shown, and nothing else: https://anywidget.dev/en/afm
import widget from './widget.js';

class Model {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
    this.sent = [];
    this.saved = [];
    this.unsaved = {};
  }

  get(key) {
    return this.state[key];
  }

  set(key, value) {
    this.state[key] = value;
    this.unsaved[key] = value;
    this.tell(`change:${key}`);
  }

  save_changes() {
    this.saved.push(this.unsaved);
    this.unsaved = {};
  }

  send(content) {
    this.sent.push(content);
  }

  on(event, callback) {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), callback]);
  }

  off(event, callback) {
    const others = this.listeners.get(event).filter(one => one !== callback);
    this.listeners.set(event, others);
  }

  tell(event, ...args) {
    this.listeners.get(event)?.forEach(one => one(...args));
  }
}

window.violations = [];
document.addEventListener('securitypolicyviolation', event =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`)
);
window.show = state => {
  window.model = new Model(state);
  window.leave = widget.render({
    model: window.model,
    el: document.getElementById('cell')
  });
};
