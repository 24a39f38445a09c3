import { svg, type SVGTemplateResult } from "lit";

const icon = (path: string): SVGTemplateResult =>
  svg`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d=${path} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"></path></svg>`;

const solid = (path: string): SVGTemplateResult =>
  svg`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d=${path} fill="currentColor"></path></svg>`;

export const icons = {
  play: solid("M4.5 2.8v10.4a.6.6 0 0 0 .9.5l8.4-5.2a.6.6 0 0 0 0-1L5.4 2.3a.6.6 0 0 0-.9.5Z"),
  pause: solid("M4 2.5h2.5a.5.5 0 0 1 .5.5v10a.5.5 0 0 1-.5.5H4a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5Zm5.5 0H12a.5.5 0 0 1 .5.5v10a.5.5 0 0 1-.5.5H9.500a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5Z"),
  step: icon("M3.500 3.500v9l6.500-4.500zM12.500 3.500v9"),
  walk: icon("M2.500 8h7M7 4.500 10.500 8 7 11.500M13.500 3.500v9"),
  reset: icon("M3 8a5 5 0 1 0 1.600-3.700M3 2.500v3h3"),
  up: icon("M8 12.500v-9M4.500 7 8 3.500 11.500 7"),
  down: icon("M8 3.500v9M4.500 9 8 12.500 11.500 9"),
  remove: icon("M4 4l8 8M12 4l-8 8"),
  add: icon("M8 3.500v9M3.500 8h9"),
  pen: icon("M3 13l.7-3L11 2.700a1 1 0 0 1 1.400 0l.9.9a1 1 0 0 1 0 1.400L6 12.300z"),
  previous: icon("M10 3.500 5.500 8l4.500 4.500"),
  next: icon("M6 3.500 10.500 8 6 12.500"),
  back2: icon("M8 3.500 3.500 8 8 12.500M13 3.500 8.500 8l4.500 4.500"),
  on2: icon("M8 3.500 12.500 8 8 12.500M3 3.500 7.500 8 3 12.500"),
  shut: icon("M4 7.500h8v6H4zM5.500 7.500V5a2.500 2.500 0 0 1 5 0v2.500"),
  unlocked: icon("M4 7.500h8v6H4zM5.500 7.500V5a2.500 2.500 0 0 1 4.800-1"),
  warn: icon("M8 2.500 14 13H2zM8 6.500v3M8 11.300v.1"),
  help: icon("M6 6a2 2 0 1 1 2.800 1.800c-.5.3-.8.6-.8 1.400M8 11.800v.1"),
  sun: icon("M8 5.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600M8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.400 3.400l.7.7M11.900 11.900l.7.7M12.600 3.400l-.7.7M4.100 11.900l-.7.7"),
  grip: solid("M6 3.200a1 1 0 1 1-2 0 1 1 0 0 1 2 0Zm0 4.800a1 1 0 1 1-2 0 1 1 0 0 1 2 0Zm-1 5.800a1 1 0 1 0 0-2 1 1 0 0 0 0 2Zm7-10.600a1 1 0 1 1-2 0 1 1 0 0 1 2 0ZM11 9a1 1 0 1 0 0-2 1 1 0 0 0 0 2Zm1 3.800a1 1 0 1 1-2 0 1 1 0 0 1 2 0Z"),
};
