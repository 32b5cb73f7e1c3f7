/** Files out of the page: a chart as PNG, made here from the SVG with the colors that are on the screen. */

const SHOWN = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];
const MARGIN = 16;
const LINE = 18;

/**
 * Saves a picture in the colors of the page.
 *
 * @param {SVGSVGElement|null} chart
 * @param {{title: string, footnote: string, legend?: {label: string, color: string}[], facts?: string[]}} words
 * @param {string} name of the file
 */
export async function savePng(chart, words, name) {
  const style = getComputedStyle(document.documentElement);
  const colors = { background: style.getPropertyValue("background-color") || "#fff", color: style.getPropertyValue("color") };
  download(await chartAsPng(chart, { ...words, ...colors }), name);
}

/**
 * @param {SVGSVGElement|null} chart null makes a picture of the words alone
 * @param {{title: string, footnote: string, legend?: {label: string, color: string}[], facts?: string[], background: string, color: string, scale?: number}} frame
 * @returns {Promise<Blob>}
 */
async function chartAsPng(chart, { title, footnote, legend = [], facts = [], background, color, scale = 2 }) {
  const image = chart && await loaded(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(selfContained(chart))}`);
  const { width, height } = chart ? chart.viewBox.baseVal : { width: 560, height: 0 };
  const [top, bottom] = [58 + facts.length * LINE, 34];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [(width + 2 * MARGIN) * scale, (height + top + bottom) * scale];
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = background;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = color;
  pen.font = "600 15px sans-serif";
  pen.fillText(title, MARGIN, 26, width);
  drawLegend(pen, legend, color);
  pen.font = "12px sans-serif";
  facts.forEach((fact, place) => pen.fillText(fact, MARGIN, 47 + place * LINE, width));
  if (image) pen.drawImage(image, MARGIN, top, width, height);
  pen.fillStyle = color;
  pen.font = "11px sans-serif";
  pen.fillText(footnote, MARGIN, height + top + 18, width);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser made no picture."))), "image/png"));
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function drawLegend(pen, legend, color) {
  let x = MARGIN;
  pen.font = "12px sans-serif";
  for (const { label, color: fill } of legend) {
    pen.fillStyle = fill;
    pen.fillRect(x, 38, 10, 10);
    pen.fillStyle = color;
    pen.fillText(label, x + 15, 47);
    x += 15 + pen.measureText(label).width + 18;
  }
}

/** The SVG as text, its looks written into every element: a picture knows no stylesheet. */
function selfContained(chart) {
  const copy = chart.cloneNode(true);
  const [originals, copies] = [[chart, ...chart.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  originals.forEach((original, place) => {
    const style = getComputedStyle(original);
    for (const name of SHOWN) copies[place].setAttribute(name, style.getPropertyValue(name));
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

function loaded(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("The browser could not draw the chart."));
    image.src = address;
  });
}
