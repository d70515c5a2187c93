import { LabIcon } from "@jupyterlab/ui-components";

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="20" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161">
<path opacity=".4" d="M10.5 13 22 3v19z"/><path d="M10.5 13 22 9v8z"/>
<path d="m1.2 16.4 3.4-6.2 3 4 2.9-1.2v2.6l-3.7 1.5-1.9-2.6-1.8 3.2z"/></g></svg>`;

/** The panel's icon: a history that fans out. */
export const icon = new LabIcon({ name: "nbforecast:panel", svgstr: SVG });
