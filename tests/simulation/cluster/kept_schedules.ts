/** Schedules that have broken an invariant, shrunk. They are run with the tests. */

import type { ClusterAction } from "./actions.ts";

/** A schedule that must not fail again. */
export interface KeptSchedule {
  readonly seed: number;
  /** What must hold. */
  readonly name: string;
  readonly actions: readonly ClusterAction[];
}

export const keptSchedules: readonly KeptSchedule[] = [
  {
    seed: 44,
    name: "except holds however late the message is delivered",
    actions: [
      ["publish", 563, 159, 358],
      ["subscribe", 831, 72, 342],
      ["wait", 207, 535, 349],
      ["freeze", 343, 616, 657],
      ["publish", 177, 24, 868],
      ["wait", 711, 331, 219],
    ],
  },
  {
    seed: 71,
    name: "messages that are pending when the topics end are settled",
    actions: [
      ["burst", 804, 592, 123],
      ["dispose", 508, 450, 609],
    ],
  },
  {
    seed: 164,
    name: "consumers of JetStream end with the relay",
    actions: [
      ["subscribe", 782, 382, 135],
      ["lose", 814, 428, 779],
      ["publish", 870, 297, 427],
      ["dispose", 746, 367, 46],
    ],
  },
  {
    seed: 1551,
    name: "the position of a topic does not go back when its messages are dropped",
    actions: [
      ["publish", 903, 414, 615],
      ["burst", 509, 212, 929],
      ["wait", 236, 809, 955],
      ["subscribe", 71, 492, 872],
    ],
  },
  {
    seed: 392,
    name: "the last message of a consumer is missed",
    actions: [
      ["subscribe", 558, 98, 843],
      ["wait", 603, 801, 922],
      ["publish", 779, 114, 634],
      ["lose", 784, 867, 771],
    ],
  },
  {
    seed: 5452,
    name: "a message of an earlier history does not come after the next history",
    actions: [
      ["subscribe", 525, 852, 17],
      ["freeze", 546, 403, 768],
      ["publish", 989, 786, 737],
      ["wait", 455, 625, 268],
      ["burst", 586, 722, 212],
    ],
  },
  {
    seed: 100645,
    name: "a read that is repeated does not begin the topic again",
    actions: [
      ["subscribe", 357, 87, 459],
      ["subscribe", 17, 98, 715],
      ["subscribe", 946, 184, 656],
      ["publish", 304, 699, 880],
      ["full", 704, 698, 318],
      ["wait", 581, 264, 616],
      ["leave", 489, 798, 808],
      ["subscribe", 112, 937, 83],
      ["crashBroker", 679, 256, 57],
      ["subscribe", 800, 140, 274],
      ["retry", 693, 472, 181],
      ["wait", 183, 600, 710],
      ["startNode", 284, 494, 801],
      ["wait", 831, 772, 697],
      ["publish", 197, 366, 422],
    ],
  },
  {
    seed: 104776,
    name: "a consumer that continues after a reconnect skips nothing silently",
    actions: [
      ["startNode", 883, 836, 507],
      ["subscribe", 253, 694, 344],
      ["wait", 103, 514, 271],
      ["cut", 329, 502, 304],
      ["burst", 564, 374, 164],
    ],
  },
  {
    seed: 2001935,
    name: '"latest" tells what is missing before a message that takes an earlier place',
    actions: [
      ["subscribe", 837, 134, 423],
      ["startNode", 728, 972, 382],
      ["wait", 477, 58, 110],
      ["stall", 325, 925, 654],
      ["subscribe", 695, 813, 238],
      ["burst", 395, 262, 401],
      ["wait", 507, 381, 518],
      ["lose", 302, 80, 439],
      ["wait", 469, 152, 320],
    ],
  },
  {
    seed: 42,
    name: "the members of a node that was out of reach come back",
    actions: [
      ["freeze", 73, 288, 231],
      ["wait", 591, 831, 501],
    ],
  },
  {
    seed: 50051,
    name: "a node that was out of reach is asked for its members until it answers",
    actions: [
      ["freeze", 784, 198, 29],
      ["wait", 807, 319, 684],
    ],
  },
  {
    seed: 681,
    name: "except holds for a message that a client has sent twice",
    actions: [
      ["subscribe", 595, 22, 616],
      ["burst", 2, 636, 887],
      ["wait", 77, 581, 39],
      ["cut", 116, 557, 79],
      ["publish", 257, 545, 353],
      ["publish", 87, 294, 676],
      ["wait", 24, 926, 750],
      ["cut", 406, 649, 44],
    ],
  },
  {
    seed: 11002232,
    name: "a node that was blocked answers a question that it could not receive",
    actions: [
      ["subscribe", 836, 67, 669],
      ["block", 631, 773, 215],
      ["subscribe", 80, 989, 228],
      ["cut", 730, 819, 494],
      ["wait", 327, 162, 541],
      ["crashBroker", 96, 185, 787],
      ["startNode", 355, 503, 592],
      ["publish", 237, 734, 343],
    ],
  },
  {
    seed: 20001848,
    name: "a node whose client was deaf answers a question that it could not receive",
    actions: [
      ["subscribe", 122, 45, 688],
      ["publish", 628, 392, 831],
      ["repeat", 85, 504, 158],
      ["wait", 859, 774, 312],
      ["subscribe", 60, 837, 102],
      ["crashBroker", 570, 164, 851],
      ["publish", 252, 202, 837],
      ["startBroker", 91, 41, 231],
      ["subscribe", 141, 643, 705],
      ["wait", 975, 148, 706],
      ["wait", 589, 657, 860],
      ["crashBroker", 288, 419, 755],
      ["publish", 239, 322, 767],
    ],
  },
  {
    seed: 70002404,
    name: "a node is asked for its members if its first messages were missed",
    actions: [
      ["startNode", 131, 715, 696],
      ["freeze", 146, 150, 707],
      ["dispose", 972, 419, 775],
      ["wait", 372, 78, 644],
      ["crashBroker", 872, 187, 996],
      ["startNode", 980, 873, 453],
      ["startBroker", 189, 32, 24],
      ["wait", 582, 202, 251],
      ["wait", 413, 552, 904],
      ["cut", 221, 80, 471],
    ],
  },
  {
    seed: 71000798,
    name: "members are asked for again after a gap that is told with a message",
    actions: [
      ["publish", 961, 564, 434],
      ["freeze", 7, 590, 316],
      ["wait", 790, 369, 678],
      ["startNode", 40, 405, 398],
      ["publish", 525, 244, 937],
      ["publish", 388, 330, 536],
      ["wait", 640, 578, 272],
      ["publish", 627, 58, 136],
      ["freeze", 939, 231, 850],
      ["wait", 818, 511, 559],
      ["wait", 434, 921, 227],
      ["startNode", 694, 197, 622],
      ["dispose", 614, 889, 279],
      ["wait", 134, 728, 497],
      ["publish", 737, 957, 932],
      ["publish", 356, 56, 199],
      ["publish", 565, 78, 198],
      ["subscribe", 321, 533, 553],
      ["wait", 660, 768, 486],
      ["thaw", 668, 193, 446],
      ["wait", 423, 545, 283],
      ["cut", 580, 369, 221],
      ["wait", 921, 544, 217],
      ["comeBack", 865, 431, 946],
    ],
  },
];
