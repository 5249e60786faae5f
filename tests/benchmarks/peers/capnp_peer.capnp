# SPDX-License-Identifier: LGPL-2.1-or-later

@0xb2d7f1c3a9e45d61;

interface Peer {
  inc @0 (x :Int32) -> (x :Int32);
  fetch @1 (size :UInt32) -> (data :Data);
  echo @2 (data :Data) -> (data :Data);
  len @3 (data :Data) -> (size :UInt32);
}
