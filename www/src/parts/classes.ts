/** Colours of classes where there are more than two. */
export const CLASSES = [[33, 102, 197], [217, 95, 14], [13, 128, 118], [168, 50, 130], [150, 120, 20], [90, 90, 200], [120, 60, 30], [60, 140, 60], [200, 60, 80], [100, 110, 120]] as const;
