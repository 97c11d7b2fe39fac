// SPDX-License-Identifier: BSD-3-Clause
import { load } from './words.js';

load().catch(() => {}).then(() => import('./app.js')); // without its texts the page is in English
