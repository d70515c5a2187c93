/** Hands text and files over to the person: to the clipboard, and to the browser's downloads. */

/** Copies text; where the host forbids the clipboard, by the selection of a field. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.style.position = "fixed";
    field.style.opacity = "0";
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand?.("copy") ?? false;
    field.remove();
    return isCopied;
  }
}

/** Saves a file; what a name cannot have becomes a hyphen. */
export function saveFile(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^-+|-+(?=\.)/g, "");
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
