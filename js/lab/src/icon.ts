import { LabIcon } from "@jupyterlab/ui-components";

/** A history that fans out. */
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="20" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161">
<path opacity=".45" d="M11 14.2 21 4v16z"/><path d="M11 14.2 21 9v6.5z"/>
<path d="m2.3 16.6 3-5.4 2.6 3 3.4-1.1.6 1.9-4.6 1.5-2-2.4-1.6 3.4z"/></g></svg>`;

export const icon = new LabIcon({ name: "nbforecast:panel", svgstr: SVG });
