import { computed, effect, signal } from "@preact/signals-core";

export const LANGUAGES = ["en", "zh"] as const;
/** What each language calls itself. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: "English", zh: "简体中文" };
export const THEMES = ["system", "light", "dark"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Theme = (typeof THEMES)[number];

/** What was kept on an earlier visit. */
export const stored = (key: string): string | null => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be refused; the page then forgets
  }
};

/** Keeps a choice for the next visit, where the browser allows it. */
export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // as above
  }
}

const one = <T extends string>(known: readonly T[], value: string | null): T | undefined => known.find((k) => k === value);

export const language = signal<Language>(one(LANGUAGES, stored("language")) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"));
export const theme = signal<Theme>(one(THEMES, stored("theme")) ?? "system");
/** Notices that were put away for good. */
export const dismissed = signal<readonly string[]>((stored("dismissed") ?? "").split(" ").filter(Boolean));

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const dark = signal(systemIsDark.matches);
systemIsDark.addEventListener("change", ({ matches }) => (dark.value = matches));

/** The theme that is on the screen. */
export const shownTheme = computed(() => (theme.value === "system" ? (dark.value ? "dark" : "light") : theme.value));

/** Writes the theme to the document, and keeps the settings. */
export function applySettings(): void {
  effect(() => keep("language", language.value));
  effect(() => {
    document.documentElement.dataset.theme = shownTheme.value;
    keep("theme", theme.value);
  });
  effect(() => keep("dismissed", dismissed.value.join(" ")));
}
